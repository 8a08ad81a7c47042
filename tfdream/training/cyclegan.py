"""CycleGAN: two generators that translate between two domains, and their discriminators.

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
from tfdream.training.timed_model import TimedModel

Images = tuple[tf.Tensor, tf.Tensor]
"""Images of the first and of the second domain, float32 `[batch, height, width, channels]`."""

_DIRECTIONS = ("forward", "backward")


class Translations(NamedTuple):
    """Outputs of the generators for images of both domains."""

    translated: Images
    """First domain → second, and second → first."""
    returned: Images
    """Translated there and back: first → second → first, and second → first → second."""
    identity: Images | None
    """Images passed through the generator of their own domain; None without identity loss."""


class CycleGAN(TimedModel, keras.Model):
    """Two generators and two discriminators, trained on batches of images of both domains.

    Batches are in [0, 1]; networks and losses use [−1, 1].

    Args:
      forward: generator from the first domain to the second, and discriminator of the second.
      backward: generator from the second domain to the first, and discriminator of the first.
      config: weights of the losses, optimizers, pools.
      steps_per_epoch: training steps per epoch, for the decay of the learning rate.
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
        self.generator_optimizer = optimizers.build_for_translation(config, steps_per_epoch)
        self.discriminator_optimizer = optimizers.build_for_translation(config, steps_per_epoch)
        names = ["loss", "cycle", "identity"]
        names += [
            f"{role}_{direction}"
            for role in ("generator", "discriminator")
            for direction in _DIRECTIONS
        ]
        self.means = [keras.metrics.Mean(name=name) for name in names]
        self.spreads = [Spread(shape, name=f"spread_{direction}") for direction in _DIRECTIONS]
        self.built = True
        self.build_optimizers()
        self.compile(optimizer=self.generator_optimizer)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Losses and spreads, which `fit` resets before each epoch."""
        return [*self.means, *self.spreads]

    def build_optimizers(self) -> None:
        """Create the optimizers' variables, so that a state can be loaded into them."""
        for optimizer, networks in self._optimized():
            if not optimizer.built:
                optimizer.build(networks.trainable_variables)

    def train_step(self, batch: Images) -> dict[str, tf.Tensor]:
        """Update the generators, then the discriminators, with gradients of the same state.

        Args:
          batch: equally many images of the first and of the second domain.

        Returns:
          Means over the epoch so far: ``loss``, the weighted sum of the generators' losses;
          ``cycle`` and ``identity``, mean absolute differences; ``generator_forward`` …, the
          adversarial losses of the generators; ``discriminator_forward`` …, the losses of the
          discriminators; ``spread_forward`` …, see `Spread`.
        """
        real = _signed(batch)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            outputs = self.translate(real)
            losses = self._generator_losses(real, outputs)
            scaled = self.generator_optimizer.scale_loss(losses["loss"] / replicas)
        generator_gradients = tape.gradient(scaled, self.generators.trainable_variables)

        pools = (self.forward_pool, self.backward_pool)
        fake = tuple(
            pool.exchange(images) for pool, images in zip(pools, outputs.translated, strict=True)
        )
        with tf.GradientTape() as tape:
            discriminator_losses = self._discriminator_losses(real, fake)
            scaled = self.discriminator_optimizer.scale_loss(
                tf.add_n(list(discriminator_losses.values())) / replicas
            )
        gradients = tape.gradient(scaled, self.discriminators.trainable_variables)
        for (optimizer, networks), own_gradients in zip(
            self._optimized(), (generator_gradients, gradients), strict=True
        ):
            optimizer.apply(own_gradients, networks.trainable_variables)

        losses |= discriminator_losses
        for mean in self.means:
            mean.update_state(losses[mean.name])
        for spread, translated, target in zip(
            self.spreads, outputs.translated, reversed(real), strict=True
        ):
            spread.update_state(translated, target)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, batch: Images) -> dict[str, tf.Tensor]:
        """Return the generators' ``loss``, ``cycle`` and ``identity`` on held-out images."""
        real = _signed(batch)
        losses = self._generator_losses(real, self.translate(real))
        means = self.means[:3]
        for mean in means:
            mean.update_state(losses[mean.name])
        return {mean.name: mean.result() for mean in means}

    def translate(self, real: Images) -> Translations:
        """Translate images of both domains, in [−1, 1], there and back."""
        first, second = real
        forward, backward = self.generators.forward, self.generators.backward
        translated = forward(first, training=True), backward(second, training=True)
        if not self.config.identity_weight:
            back = backward(translated[0], training=True), forward(translated[1], training=True)
            return Translations(translated, back, None)
        # One call with two batches is faster than two calls.
        again = backward(tf.concat([translated[0], first], axis=0), training=True)
        onward = forward(tf.concat([translated[1], second], axis=0), training=True)
        (first_back, first_identity), (second_back, second_identity) = (
            tf.split(again, 2),
            tf.split(onward, 2),
        )
        return Translations(
            translated, (first_back, second_back), (first_identity, second_identity)
        )

    def _optimized(self) -> list[tuple[keras.Optimizer, BidirectionalModel]]:
        return [
            (self.generator_optimizer, self.generators),
            (self.discriminator_optimizer, self.discriminators),
        ]

    def _generator_losses(self, real: Images, outputs: Translations) -> dict[str, tf.Tensor]:
        """Compute the scalar losses of equations 1 to 3 and section 5.2 of Zhu et al."""
        losses = {"cycle": _differences(real, outputs.returned), "identity": tf.constant(0.0)}
        config = self.config
        total = config.cycle_weight * losses["cycle"]
        if outputs.identity is not None:
            losses["identity"] = _differences(real, outputs.identity)
            total += config.cycle_weight * config.identity_weight * losses["identity"]
        for direction, images in zip(_DIRECTIONS, outputs.translated, strict=True):
            scores = getattr(self.discriminators, direction)(images, training=True)
            losses[f"generator_{direction}"] = self._adversarial_loss(scores, 1.0)
            total += losses[f"generator_{direction}"]
        return {"loss": total, **losses}

    def _discriminator_losses(self, real: Images, fake: Images) -> dict[str, tf.Tensor]:
        """Compute the losses of the second domain's discriminator (forward) and of the first's."""
        losses = {}
        for direction, genuine, translated in zip(_DIRECTIONS, reversed(real), fake, strict=True):
            discriminator = getattr(self.discriminators, direction)
            scores = discriminator(tf.concat([genuine, translated], axis=0), training=True)
            genuine_scores, translated_scores = tf.split(scores, 2)
            losses[f"discriminator_{direction}"] = 0.5 * (
                self._adversarial_loss(genuine_scores, 1.0)
                + self._adversarial_loss(translated_scores, 0.0)
            )
        return losses

    def _adversarial_loss(self, scores: tf.Tensor, target: float) -> tf.Tensor:
        """Compute the loss of discriminator outputs whose targets are all equal, a scalar."""
        if self.config.adversarial == "least_squares":
            return tf.reduce_mean((scores - target) ** 2)
        targets = tf.fill(tf.shape(scores), target)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, scores))


class Spread(keras.metrics.Metric):
    """Variation of translations over images, relative to the variation of real images.

    It is the square root of the ratio of the variances over images, averaged over pixels. A
    generator that returns the same image for every input has 0: it has collapsed.

    Args:
      shape: shape of an image.
      name: name of the metric.
    """

    def __init__(self, shape: tuple[int, ...], name: str) -> None:
        super().__init__(name=name)
        self.count = self.add_variable((), "zeros", name="count")
        self.sums = self.add_variable((2, *shape), "zeros", name="sums")
        self.squares = self.add_variable((2,), "zeros", name="squares")

    def update_state(self, translated: tf.Tensor, real: tf.Tensor) -> None:
        """Add a batch of translations and of real images."""
        images = tf.stack([translated, real])
        self.count.assign_add(tf.cast(tf.shape(translated)[0], tf.float32))
        self.sums.assign_add(tf.reduce_sum(images, axis=1))
        self.squares.assign_add(tf.reduce_mean(tf.reduce_sum(images**2, axis=1), axis=[1, 2, 3]))

    def result(self) -> tf.Tensor:
        """Return the ratio; 0 for a single image."""
        count = tf.maximum(self.count, 1.0)
        means = tf.reduce_mean((self.sums / count) ** 2, axis=[1, 2, 3])
        variances = tf.maximum(self.squares / count - means, 0.0)
        return tf.sqrt(tf.math.divide_no_nan(variances[0], variances[1]))


def _signed(batch: Images) -> Images:
    first, second = (2 * images - 1 for images in batch)
    return first, second


def _differences(real: Images, outputs: Images) -> tf.Tensor:
    """Return the sum of the mean absolute differences of both domains."""
    return tf.add_n(
        [tf.reduce_mean(tf.abs(one - other)) for one, other in zip(real, outputs, strict=True)]
    )
