"""Contrastive content loss of translations: each position of an output resembles the input's.

The features of an output at a position are compared with those of the input at the same position,
which they should resemble, and at other positions of the same image, from which they should differ.

Source: Park et al., "Contrastive learning for unpaired image-to-image translation", section 3.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from tfdream.datasets.augmentation.base import split
from tfdream.errors import ConfigError

_TEMPERATURE = 0.07
_UNITS = 128
_POSITIONS = 128
"""Largest number of positions of an image that are compared."""


class ContrastiveLoss(keras.Model):
    """The loss of one generator, with a small network for the features of each layer.

    Args:
      generator: the generator, whose layers provide the features.
      names: names of these layers.

    Raises:
      ConfigError: if the generator lacks one.
    """

    def __init__(self, generator: keras.Model, names: Sequence[str]) -> None:
        super().__init__(name="contrastive")
        available = {layer.name: layer.output for layer in generator.layers}
        missing = [name for name in names if name not in available]
        if missing:
            raise ConfigError(
                f"training.contrastive_layers={list(names)}: the generator has no layer "
                f"'{missing[0]}'; use some of: {', '.join(available)}"
            )
        outputs = [available[name] for name in names]
        self.encoder = keras.Model(generator.input, outputs)
        self.projections = [_projection(output.shape[-1]) for output in outputs]
        self.built = True

    @property
    def projection_variables(self) -> list[keras.Variable]:
        """The trainable variables that are not the generator's."""
        return [
            variable
            for projection in self.projections
            for variable in projection.trainable_variables
        ]

    def compare(
        self, images: tf.Tensor, translated: tf.Tensor, seed: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Return the mean loss of images and their translations, a scalar.

        Args:
          images: float32 `[batch, height, width, channels]`.
          translated: the output of the generator for them.
          seed: integers `[2]`, for the choice of positions.
          training: whether the generator is trained.
        """
        features = tf.nest.flatten(
            self.encoder(tf.concat([images, translated], axis=0), training=training)
        )
        losses = []
        seeds = split(seed, len(self.projections))
        for values, project, place_seed in zip(features, self.projections, seeds, strict=True):
            projected = project(_draw_positions(values, place_seed))
            projected = tf.math.l2_normalize(tf.cast(projected, tf.float32), axis=-1)
            inputs, outputs = tf.split(projected, 2)
            # As in the authors' code, the input's features are constants.
            scores = tf.matmul(outputs, tf.stop_gradient(inputs), transpose_b=True) / _TEMPERATURE
            same = tf.linalg.diag_part(scores)
            losses.append(tf.reduce_mean(tf.reduce_logsumexp(scores, axis=-1) - same))
        return tf.add_n(losses) / len(losses)


def _projection(channels: int) -> keras.Model:
    features = keras.Input([None, channels])
    x = layers.Dense(_UNITS, activation="relu")(features)
    return keras.Model(features, layers.Dense(_UNITS)(x))


def _draw_positions(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return features `[batch, positions, channels]` at the same random positions of all images."""
    positions = tf.reshape(values, [tf.shape(values)[0], -1, values.shape[-1]])
    count = tf.shape(positions)[1]
    order = tf.argsort(tf.random.stateless_uniform([count], seed))
    return tf.gather(positions, order[: tf.minimum(count, _POSITIONS)], axis=1)
