"""The magnitude of an STFT as a gray image, without a logarithm."""

from typing import Literal

import tensorflow as tf

from tfdream.config import StftImageConfig
from tfdream.config.frontends import Quantity
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.scales import Scale

# Added to the power, because its square root has no finite derivative at zero.
_TINY_POWER = 1e-10


class MagnitudeFrontendConfig(StftImageConfig):
    """A gray image of the STFT's magnitude.

    The image has no upper limit, and `top_db` has no effect on it.
    """

    kind: Literal["magnitude"]

    @property
    def channels(self) -> tuple[Quantity, ...]:
        return ("magnitude",)


class Magnitude(Scale):
    """Levels that are the magnitude itself, and the channel; negative levels are silent.

    Source: "Music generation using style transfer", baseline CNN.

    >>> Magnitude().level_to_magnitude(tf.constant([[[3.0, -1.0]]])).numpy()
    array([[[3., 0.]]], dtype=float32)
    """

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(power + _TINY_POWER)

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return tf.maximum(level, 0.0)

    def reference(self, level: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(level, axis=[1, 2], keepdims=True)

    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        return level

    def channel_to_magnitude(
        self, channel: tf.Tensor, reference: tf.Tensor, range_db: tf.Tensor | None = None
    ) -> tf.Tensor:
        return self.level_to_magnitude(channel)


def build(config: MagnitudeFrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    """Build the frontend."""
    return SpectrogramFrontend(config, scale=Magnitude())
