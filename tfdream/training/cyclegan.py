"""CycleGAN: two generators that translate between two domains, and their discriminators.

Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
networks"; for spectrograms, "Dreaming in Music", section III-E, and "Music Generation Using Style
Transfer", section 3.3. The settings also allow a contrastive loss instead of the cycle loss (see
`training.contrastive`), feature matching (`training.feature_matching`), and random changes of the
discriminators' images (Zhao et al., "Differentiable augmentation for data-efficient GAN training").
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfdream.config import TranslationTrainingConfig
from tfdream.datasets import augmentation
from tfdream.models.gan import BidirectionalModel, GanNetworks
from tfdream.training import optimizers
from tfdream.training.contrastive import ContrastiveLoss
from tfdream.training.feature_matching import FeatureMatching
from tfdream.training.image_pool import ImagePool
from tfdream.training.metrics import Spread
from tfdream.training.timed_model import TimedModel, differentiate
from tfdream.training.transfer_losses import onset_strength

Images = tuple[tf.Tensor, tf.Tensor]
"""Images of the first and of the second domain, float32 `[batch, height, width, channels]`."""

_DIRECTIONS = ("forward", "backward")
_AUGMENTATION, _POSITIONS = 0, 1
"""Uses of random numbers in a step."""


class Translations(NamedTuple):
    """Outputs of the generators for images of both domains."""

    translated: Images
    """First domain → second, and second → first."""
    returned: Images | None
    """Translated there and back: first → second → first, and second → first → second; None without
    cycle loss."""
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
      averaged: generators for the moving averages of the weights, if the configuration has them.

    Raises:
      ConfigError: if the generators lack a layer of the contrastive loss, or the discriminators
        lack activations to match.
    """

    def __init__(
        self,
        forward: GanNetworks,
        backward: GanNetworks,
        config: TranslationTrainingConfig,
        steps_per_epoch: int,
        averaged: BidirectionalModel | None = None,
    ) -> None:
        super().__init__(name="cyclegan")
        self.config = config
        self.generators = BidirectionalModel(forward.generator, backward.generator)
        self.averaged = averaged
        self.contrastive = _contrastive_losses((forward, backward), config)
        self._augmentation = augmentation.input_augmentation(config.augmentation)
        self.discriminators = BidirectionalModel(forward.discriminator, backward.discriminator)
        self._matching = _feature_matching((forward, backward), config)
        shape = forward.generator.output.shape[1:]
        self.forward_pool = ImagePool(config.pool_images, shape, 2 * config.seed)
        self.backward_pool = ImagePool(config.pool_images, shape, 2 * config.seed + 1)
        self.generator_optimizer = optimizers.build_for_translation(config, steps_per_epoch)
        self.discriminator_optimizer = optimizers.build_for_translation(config, steps_per_epoch)
        self._own_losses = ["loss", "cycle", "identity"]
        if self.contrastive:
            self._own_losses.append("contrastive")
        if config.onset_weight:
            self._own_losses.append("onsets")
        names = [*self._own_losses, *(["features"] if self._matching else [])]
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

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """The variables of `optimizer`, in its order: at its end, `fit` averages them."""
        return self._optimized()[0][1]

    def build_optimizers(self) -> None:
        """Create the optimizers' variables, so that a state can be loaded into them."""
        for optimizer, variables in self._optimized():
            if not optimizer.built:
                optimizer.build(variables)

    @property
    def stored(self) -> BidirectionalModel:
        """The generators that a run stores: averaged ones, if the configuration has them."""
        return self.averaged or self.generators

    def update_averages(self) -> None:
        """Copy the moving averages of the weights to the averaged generators."""
        if self.averaged is None:
            return
        optimizer, variables = self._optimized()[0]
        current = [variable.numpy() for variable in variables]
        optimizer.finalize_variable_values(variables)
        self.averaged.set_weights(self.generators.get_weights())
        for variable, value in zip(variables, current, strict=True):
            variable.assign(value)

    def train_step(self, batch: Images) -> dict[str, tf.Tensor]:
        """Update the generators, then the discriminators, with gradients of the same state.

        Args:
          batch: equally many images of the first and of the second domain.

        Returns:
          Means over the epoch so far: ``loss``, the weighted sum of the generators' losses;
          ``cycle`` and ``identity``, mean absolute differences of images in [−1, 1], summed over
          both domains; ``contrastive``, see `contrastive`, summed over both directions;
          ``onsets``, mean absolute differences of the onset strength, summed over both directions;
          ``features``, see `feature_matching`, summed over both directions;
          ``generator_forward`` …, the adversarial losses of the generators;
          ``discriminator_forward`` …, the losses of the discriminators; ``spread_forward`` …, see
          `Spread`.
        """
        real = _signed(batch)
        (generator_optimizer, generating), (discriminator_optimizer, discriminating) = (
            self._optimized()
        )

        def generate() -> tuple[tf.Tensor, tuple[Translations, dict[str, tf.Tensor]]]:
            outputs = self.translate(real, training=True)
            losses = self._generator_losses(real, outputs)
            return losses["loss"], (outputs, losses)

        generator_gradients, _, (outputs, losses) = differentiate(
            generator_optimizer, generate, generating
        )
        pools = (self.forward_pool, self.backward_pool)
        fake = tuple(
            pool.exchange(images) for pool, images in zip(pools, outputs.translated, strict=True)
        )

        def discriminate() -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            losses = self._discriminator_losses(real, fake)
            return tf.add_n(list(losses.values())), losses

        discriminator_gradients, _, discriminator_losses = differentiate(
            discriminator_optimizer, discriminate, discriminating
        )
        generator_optimizer.apply(generator_gradients, generating)
        discriminator_optimizer.apply(discriminator_gradients, discriminating)

        losses |= discriminator_losses
        for mean in self.means:
            mean.update_state(losses[mean.name])
        for spread, translated, target in zip(
            self.spreads, outputs.translated, reversed(real), strict=True
        ):
            spread.update_state(translated, target)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, batch: Images) -> dict[str, tf.Tensor]:
        """Return the generators' losses on held-out images, without the adversarial ones.

        ``loss`` is the weighted sum of the others. The discriminators, whose state depends on the
        number of calls, are not called.
        """
        real = _signed(batch)
        losses = self._content_losses(real, self.translate(real, training=False), training=False)
        means = self.means[: len(self._own_losses)]
        for mean in means:
            mean.update_state(losses[mean.name])
        return {mean.name: mean.result() for mean in means}

    def translate(self, real: Images, training: bool = False) -> Translations:
        """Translate images of both domains, in [−1, 1], there and back."""
        first, second = real
        forward, backward = self.generators.forward, self.generators.backward
        translated = forward(first, training=training), backward(second, training=training)
        # One call with several batches is faster than several calls.
        again, onward = [], []
        if self.config.cycle_weight:
            again.append(translated[0])
            onward.append(translated[1])
        if self.config.identity_weight:
            again.append(first)
            onward.append(second)
        if not again:
            return Translations(translated, None, None)
        backwards = tf.split(backward(tf.concat(again, axis=0), training=training), len(again))
        forwards = tf.split(forward(tf.concat(onward, axis=0), training=training), len(onward))
        pairs = list(zip(backwards, forwards, strict=True))
        returned = pairs.pop(0) if self.config.cycle_weight else None
        return Translations(translated, returned, pairs.pop() if pairs else None)

    def _optimized(self) -> list[tuple[keras.Optimizer, list[keras.Variable]]]:
        generating = list(self.generators.trainable_variables)
        for loss in self.contrastive:
            generating += loss.projection_variables
        return [
            (self.generator_optimizer, generating),
            (self.discriminator_optimizer, self.discriminators.trainable_variables),
        ]

    def _generator_losses(self, real: Images, outputs: Translations) -> dict[str, tf.Tensor]:
        """Compute the scalar losses of equations 1 to 3 and section 5.2 of Zhu et al."""
        losses = self._content_losses(real, outputs, training=True)
        features = []
        for number, (direction, images, target) in enumerate(
            zip(_DIRECTIONS, outputs.translated, reversed(real), strict=True)
        ):
            changed = self._augment(images, number)
            if self._matching:
                matching = self._matching[number]
                hidden, scores = matching.activations(changed, training=True)
                genuine, _ = matching.activations(self._augment(target, 4 + number), training=False)
                features.append(matching.compare(hidden, genuine))
            else:
                scores = getattr(self.discriminators, direction)(changed, training=True)
            losses[f"generator_{direction}"] = self._adversarial_loss(scores, 1.0)
            losses["loss"] += losses[f"generator_{direction}"]
        if features:
            losses["features"] = tf.add_n(features)
            losses["loss"] += self.config.feature_matching_weight * losses["features"]
        return losses

    def _content_losses(
        self, real: Images, outputs: Translations, training: bool
    ) -> dict[str, tf.Tensor]:
        """Compute the scalar losses that do not depend on the discriminators, and their sum."""
        losses = dict.fromkeys(self._own_losses, tf.constant(0.0))
        config = self.config
        total = tf.constant(0.0)
        if outputs.returned is not None:
            losses["cycle"] = _differences(real, outputs.returned)
            total += config.cycle_weight * losses["cycle"]
        if outputs.identity is not None:
            losses["identity"] = _differences(real, outputs.identity)
            total += config.identity_weight * losses["identity"]
        if self.contrastive:
            losses["contrastive"] = tf.add_n(
                [
                    loss.compare(images, translated, self._seed(_POSITIONS, number), training)
                    for number, (loss, images, translated) in enumerate(
                        zip(self.contrastive, real, outputs.translated, strict=True)
                    )
                ]
            )
            total += config.contrastive_weight * losses["contrastive"]
        if config.onset_weight:
            losses["onsets"] = _differences(_onsets(real), _onsets(outputs.translated))
            total += config.onset_weight * losses["onsets"]
        return losses | {"loss": total}

    def _discriminator_losses(self, real: Images, fake: Images) -> dict[str, tf.Tensor]:
        """Compute the losses of the second domain's discriminator (forward) and of the first's."""
        losses = {}
        for number, (direction, genuine, translated) in enumerate(
            zip(_DIRECTIONS, reversed(real), fake, strict=True)
        ):
            both = self._augment(tf.concat([genuine, translated], axis=0), 2 + number)
            scores = getattr(self.discriminators, direction)(both, training=True)
            genuine_scores, translated_scores = tf.split(scores, 2)
            losses[f"discriminator_{direction}"] = 0.5 * (
                self._adversarial_loss(genuine_scores, 1.0)
                + self._adversarial_loss(translated_scores, 0.0)
            )
        return losses

    def _augment(self, images: tf.Tensor, use: int) -> tf.Tensor:
        """Change images at random before a discriminator receives them.

        Args:
          images: float32 `[batch, height, width, channels]` in [−1, 1].
          use: number of the change in this step, for the random numbers.
        """
        if not self.config.augmentation:
            return images
        labels = tf.zeros([tf.shape(images)[0], 1])
        changed, _ = self._augmentation((images + 1) / 2, labels, self._seed(_AUGMENTATION, use))
        return 2 * changed - 1

    def _seed(self, purpose: int, use: int) -> tf.Tensor:
        """Return random seeds int64 `[2]` that follow from the configuration and the step."""
        step = tf.cast(tf.convert_to_tensor(self.generator_optimizer.iterations), tf.int64)
        seed = tf.stack([tf.constant(self.config.seed, tf.int64), step])
        replica: Any = tf.distribute.get_replica_context()
        for number in (purpose, use, replica.replica_id_in_sync_group if replica else 0):
            seed = tf.random.experimental.stateless_fold_in(seed, number)
        return seed

    def _adversarial_loss(self, scores: tf.Tensor, target: float) -> tf.Tensor:
        """Compute the loss of discriminator outputs whose targets are all equal, a scalar."""
        if self.config.adversarial == "least_squares":
            return tf.reduce_mean((scores - target) ** 2)
        targets = tf.fill(tf.shape(scores), target)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, scores))


def _contrastive_losses(
    networks: Sequence[GanNetworks], config: TranslationTrainingConfig
) -> list[ContrastiveLoss]:
    """Build the contrastive losses of both directions; none if their weight is 0."""
    if not config.contrastive_weight:
        return []
    return [ContrastiveLoss(each.generator, config.contrastive_layers) for each in networks]


def _feature_matching(
    networks: Sequence[GanNetworks], config: TranslationTrainingConfig
) -> list[FeatureMatching]:
    """Build the feature matching of both directions; none if its weight is 0."""
    if not config.feature_matching_weight:
        return []
    return [FeatureMatching(each.discriminator) for each in networks]


def _signed(batch: Images) -> Images:
    first, second = (2 * images - 1 for images in batch)
    return first, second


def _onsets(batch: Images) -> Images:
    """Return the onset strength of images, `[batch, frames − 1]`."""
    first, second = (
        onset_strength(tf.transpose(tf.reduce_mean(images, axis=3), [0, 2, 1])) for images in batch
    )
    return first, second


def _differences(real: Images, outputs: Images) -> tf.Tensor:
    """Return the sum of the mean absolute differences of both domains."""
    return tf.add_n(
        [tf.reduce_mean(tf.abs(one - other)) for one, other in zip(real, outputs, strict=True)]
    )
