"""CycleGAN: two generators that translate to and fro, and two discriminators that judge them.

Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
networks"; for spectrograms, "Dreaming in Music", section III-E, and "Music Generation Using Style
Transfer", section 3.3.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfdream.config import TranslationTrainingConfig
from tfdream.models.gan import BidirectionalModel, GanNetworks
from tfdream.training import optimizers
from tfdream.training.image_pool import ImagePool
from tfdream.training.timed_model import FitModel

Images = tuple[tf.Tensor, tf.Tensor]
"""Of two kinds, float32 `[batch, height, width, channels]`."""

_SIDES = ("forward", "backward")


class Translations(NamedTuple):
    """What the generators make of images of both genres, each of the first and of the second."""

    translated: Images
    """Images of the second genre that were of the first, and the other way round."""
    returned: Images
    """There and back: of the genre that they had."""
    kept: Images | None
    """By the generator that makes what they are already; None where nobody asks."""


class CycleGAN(FitModel, keras.Model):
    """Four networks that are trained together, on batches of images of both genres in [0, 1].

    The networks see them in [−1, 1], and so do the losses.

    Args:
      forward: generator from the first genre to the second, and discriminator of the second.
      backward: from the second to the first, and of the first.
      config: weights of the losses, optimizers, pools.
      steps_per_epoch: of training, for the decay of the learning rate.
    """

    def __init__(
        self,
        forward: GanNetworks,
        backward: GanNetworks,
        config: TranslationTrainingConfig,
        steps_per_epoch: int,
    ) -> None:
        super().__init__(name="cyclegan")
        self.config = config
        self.generators = BidirectionalModel(forward.generator, backward.generator)
        self.discriminators = BidirectionalModel(forward.discriminator, backward.discriminator)
        shape = forward.generator.output.shape[1:]
        self.forward_pool = ImagePool(config.pool_images, shape, 2 * config.seed)
        self.backward_pool = ImagePool(config.pool_images, shape, 2 * config.seed + 1)
        self.generator_optimizer = optimizers.of_translation(config, steps_per_epoch)
        self.discriminator_optimizer = optimizers.of_translation(config, steps_per_epoch)
        names = ["loss", "cycle", "identity"]
        names += [f"{role}_{side}" for role in ("generator", "discriminator") for side in _SIDES]
        self.means = [keras.metrics.Mean(name=name) for name in names]
        self.spreads = [Spread(shape, name=f"spread_{side}") for side in _SIDES]
        self.built = True
        self.build_optimizers()
        self.compile(optimizer=self.generator_optimizer)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Losses and spreads: what `fit` resets before each epoch."""
        return [*self.means, *self.spreads]

    def build_optimizers(self) -> None:
        """Make their variables, so that a state can be loaded into them."""
        for own, networks in self._trained():
            if not own.built:
                own.build(networks.trainable_variables)

    def train_step(self, batch: Images) -> dict[str, tf.Tensor]:
        """Fit the generators, then the discriminators; both learn of the networks as they were.

        Args:
          batch: images of the first genre and of the second, as many.

        Returns:
          The means over the epoch so far: ``loss`` of the generators, with all weights; ``cycle``
          and ``identity``, mean absolute differences; ``generator_forward`` … of what each is
          told by its discriminator, ``discriminator_forward`` … of each discriminator;
          ``spread_forward`` …, see `Spread`.
        """
        real = _signed(batch)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            made = self.translate(real)
            losses = self._generator_losses(real, made)
            scaled = self.generator_optimizer.scale_loss(losses["loss"] / replicas)
        generator_gradients = tape.gradient(scaled, self.generators.trainable_variables)

        pools = (self.forward_pool, self.backward_pool)
        fake = tuple(pool.draw(images) for pool, images in zip(pools, made.translated, strict=True))
        with tf.GradientTape() as tape:
            judged = self._discriminator_losses(real, fake)
            scaled = self.discriminator_optimizer.scale_loss(
                tf.add_n(list(judged.values())) / replicas
            )
        gradients = tape.gradient(scaled, self.discriminators.trainable_variables)
        for (own, networks), found in zip(
            self._trained(), (generator_gradients, gradients), strict=True
        ):
            own.apply(found, networks.trainable_variables)

        losses |= judged
        for mean in self.means:
            mean.update_state(losses[mean.name])
        for spread, own, other in zip(self.spreads, made.translated, reversed(real), strict=True):
            spread.update_state(own, other)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, batch: Images) -> dict[str, tf.Tensor]:
        """The generators' ``loss``, ``cycle`` and ``identity`` on held-out images."""
        real = _signed(batch)
        losses = self._generator_losses(real, self.translate(real))
        shown = self.means[:3]
        for mean in shown:
            mean.update_state(losses[mean.name])
        return {mean.name: mean.result() for mean in shown}

    def translate(self, real: Images) -> Translations:
        """Translate images of both genres, in [−1, 1], there and back."""
        first, second = real
        forward, backward = self.generators.forward, self.generators.backward
        translated = forward(first, training=True), backward(second, training=True)
        if not self.config.identity_weight:
            back = backward(translated[0], training=True), forward(translated[1], training=True)
            return Translations(translated, back, None)
        # Two in one are faster than one after the other.
        again = backward(tf.concat([translated[0], first], axis=0), training=True)
        onward = forward(tf.concat([translated[1], second], axis=0), training=True)
        (first_back, first_kept), (second_back, second_kept) = (
            tf.split(again, 2),
            tf.split(onward, 2),
        )
        return Translations(translated, (first_back, second_back), (first_kept, second_kept))

    def _trained(self) -> list[tuple[keras.Optimizer, BidirectionalModel]]:
        return [
            (self.generator_optimizer, self.generators),
            (self.discriminator_optimizer, self.discriminators),
        ]

    def _generator_losses(self, real: Images, made: Translations) -> dict[str, tf.Tensor]:
        """Equations 1 to 3 and section 5.2 of Zhu et al., each a scalar."""
        losses = {"cycle": _differences(real, made.returned), "identity": tf.constant(0.0)}
        config = self.config
        total = config.cycle_weight * losses["cycle"]
        if made.kept is not None:
            losses["identity"] = _differences(real, made.kept)
            total += config.cycle_weight * config.identity_weight * losses["identity"]
        for side, images in zip(_SIDES, made.translated, strict=True):
            judge = getattr(self.discriminators, side)
            losses[f"generator_{side}"] = self._judgement(judge(images, training=True), 1.0)
            total += losses[f"generator_{side}"]
        return {"loss": total, **losses}

    def _discriminator_losses(self, real: Images, fake: Images) -> dict[str, tf.Tensor]:
        """Of the discriminator of the second genre (forward) and of the first (backward)."""
        losses = {}
        for side, right, wrong in zip(_SIDES, reversed(real), fake, strict=True):
            judge = getattr(self.discriminators, side)
            of_both = judge(tf.concat([right, wrong], axis=0), training=True)
            true, false = tf.split(of_both, 2)
            losses[f"discriminator_{side}"] = 0.5 * (
                self._judgement(true, 1.0) + self._judgement(false, 0.0)
            )
        return losses

    def _judgement(self, judged: tf.Tensor, wanted: float) -> tf.Tensor:
        """How far judgements are from what is wanted of all of them: a scalar."""
        if self.config.adversarial == "least_squares":
            return tf.reduce_mean((judged - wanted) ** 2)
        targets = tf.fill(tf.shape(judged), wanted)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, judged))


class Spread(keras.metrics.Metric):
    """How much translations differ from each other, as a share of how much real images do.

    The root of the variance of each pixel from image to image, in the mean over pixels. A generator
    that makes the same of everything has 0: it has collapsed.

    Args:
      shape: of an image.
      name: of the metric.
    """

    def __init__(self, shape: tuple[int, ...], name: str) -> None:
        super().__init__(name=name)
        self.count = self.add_variable((), "zeros", name="count")
        self.sums = self.add_variable((2, *shape), "zeros", name="sums")
        self.squares = self.add_variable((2,), "zeros", name="squares")

    def update_state(self, translated: tf.Tensor, real: tf.Tensor) -> None:
        """Take in images of both."""
        images = tf.stack([translated, real])
        self.count.assign_add(tf.cast(tf.shape(translated)[0], tf.float32))
        self.sums.assign_add(tf.reduce_sum(images, axis=1))
        self.squares.assign_add(tf.reduce_mean(tf.reduce_sum(images**2, axis=1), axis=[1, 2, 3]))

    def result(self) -> tf.Tensor:
        """The share; 0 of a single image."""
        count = tf.maximum(self.count, 1.0)
        means = tf.reduce_mean((self.sums / count) ** 2, axis=[1, 2, 3])
        variances = tf.maximum(self.squares / count - means, 0.0)
        return tf.sqrt(tf.math.divide_no_nan(variances[0], variances[1]))


def _signed(batch: Images) -> Images:
    first, second = (2 * images - 1 for images in batch)
    return first, second


def _differences(real: Images, made: Images) -> tf.Tensor:
    """The sum of the mean absolute differences of both genres."""
    return tf.add_n(
        [tf.reduce_mean(tf.abs(one - other)) for one, other in zip(real, made, strict=True)]
    )
