"""Feature matching: translations have the mean activations of real images in the discriminator.

An adversarial loss depends on the discriminator's output for each image alone; the means of its
activations also state how far a batch of translations is from real images on average.

Source: Salimans et al., "Improved techniques for training GANs", section 3.1. Here it adds to the
adversarial loss, uses several layers and absolute differences, and is relative to the deviation of
each layer's activations, so that one weight fits all layers.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfdream.errors import ConfigError

_SMALLEST_DEVIATION = 1e-3


class Activations(NamedTuple):
    """What a discriminator computes for a batch of images.

    Attributes:
      hidden: outputs of the activation functions, float `[batch, …, channels]` each.
      logits: float32 `[batch, …]`.
    """

    hidden: list[tf.Tensor]
    logits: tf.Tensor


class FeatureMatching:
    """The loss of one direction.

    Args:
      discriminator: its layers `LeakyReLU` and `ReLU` provide the features.

    Raises:
      ConfigError: if it has none of them.
    """

    def __init__(self, discriminator: keras.Model) -> None:
        kinds = (keras.layers.LeakyReLU, keras.layers.ReLU)
        outputs = [layer.output for layer in discriminator.layers if isinstance(layer, kinds)]
        if not outputs:
            raise ConfigError(
                "training.feature_matching_weight: the discriminator has no layer LeakyReLU or "
                "ReLU, whose outputs would be compared; use 0"
            )
        self._network = keras.Model(discriminator.input, [*outputs, discriminator.output])

    def activations(self, images: tf.Tensor, training: bool) -> Activations:
        """Apply the discriminator to images float32 `[batch, height, width, channels]`."""
        *hidden, logits = self._network(images, training=training)
        return Activations(hidden, logits)

    @staticmethod
    def compare(translated: list[tf.Tensor], real: list[tf.Tensor]) -> tf.Tensor:
        """Return the mean absolute difference of the mean activations, averaged over layers.

        The means are those of each channel over batch and positions. Gradients are those of the
        translations alone.

        Args:
          translated: hidden activations of translations.
          real: those of real images.

        Returns:
          A scalar, relative to the mean deviation of the channels of each layer.
        """
        differences = []
        for own, target in zip(translated, real, strict=True):
            mean, _ = _moments(own)
            wanted, variance = map(tf.stop_gradient, _moments(target))
            deviation = tf.reduce_mean(tf.sqrt(variance)) + _SMALLEST_DEVIATION
            differences.append(tf.reduce_mean(tf.abs(mean - wanted)) / deviation)
        return tf.add_n(differences) / len(differences)


def _moments(activations: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of each channel, float32."""
    axes = list(range(len(activations.shape) - 1))
    mean, variance = tf.nn.moments(tf.cast(activations, tf.float32), axes)
    return mean, variance
