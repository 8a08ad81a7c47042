"""Level scales: conversions between the power of an STFT, levels and image channels."""

import abc
import math
from collections.abc import Callable

import tensorflow as tf

from tfdream.config import StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.decibels import db_to_power
from tfdream.signal.stft import dbfs_to_magnitude, power_to_dbfs

# A clip whose loudest bin is below this counts as silence: its image is black, not amplified noise.
SILENT_CLIP_DB = -100.0
# Added to the power, because its square root has no finite derivative at zero.
_TINY_POWER = 1e-10
# Least range of a clip's levels, for clips with one level only.
_LEAST_RANGE_DB = 1e-3

_UNKNOWN_RANGE = (
    "frontend.level_range=min_max: the range of the clip's levels is not known; use "
    "frontend.level_range=top_db"
)

_Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Scale(abc.ABC):
    """Converts power to levels, and levels to magnitudes and image channels.

    Levels are float32 `[batch, frames, bins]`, references float32 `[batch, 1, 1]`.
    """

    @abc.abstractmethod
    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        """Convert the power of an STFT to levels."""

    @abc.abstractmethod
    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        """Convert levels to the magnitude of an STFT."""

    @abc.abstractmethod
    def reference(self, level: tf.Tensor) -> tf.Tensor:
        """Return the reference level of each clip."""

    @abc.abstractmethod
    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Convert levels to a channel of an image."""

    def range_db(self, level: tf.Tensor) -> tf.Tensor:
        """Return the range of each clip's channel, `[batch, 1, 1]`; 0 where it is not in dB."""
        return tf.zeros_like(self.reference(level))

    @abc.abstractmethod
    def channel_to_magnitude(
        self, channel: tf.Tensor, reference: tf.Tensor, range_db: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Convert a channel of an image to magnitudes; clipped levels are lost.

        Args:
          channel: the channel, `[batch, frames, bins]`.
          reference: see `reference`.
          range_db: see `range_db`; only a scale with a range of each clip needs it.
        """

    @abc.abstractmethod
    def channel_to_power(self, channel: tf.Tensor) -> tf.Tensor:
        """Convert a channel of an image to power, differentiably, up to a factor for each clip.

        Raises:
          ConfigError: if the power depends on the range of each clip.
        """


class Decibels(Scale):
    """Levels in dB; the channel maps `top_db` below the clip's loudest bin to [0, 1].

    Args:
      spec: STFT of the power.
      top_db: range of the channel; lower levels map to 0.

    Source: "Dreaming in Music", section III-A.

    >>> scale = Decibels(StftSpec(n_fft=256, hop_samples=64), top_db=80.0)
    >>> level = scale.power_to_level(tf.constant([[[4096.0, 40.96, 0.0]]]))
    >>> scale.level_to_channel(level, scale.reference(level)).numpy().round(3)
    array([[[1.  , 0.75, 0.  ]]], dtype=float32)
    """

    def __init__(self, spec: StftSpec, top_db: float) -> None:
        self.spec = spec
        self.top_db = top_db

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return power_to_dbfs(power, self.spec)

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return dbfs_to_magnitude(level, self.spec)

    def reference(self, level: tf.Tensor) -> tf.Tensor:
        loudest = tf.reduce_max(level, axis=[1, 2], keepdims=True)
        return tf.where(loudest < SILENT_CLIP_DB, SILENT_CLIP_DB + self.top_db, loudest)

    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def channel(level: tf.Tensor, reference: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
            values = tf.clip_by_value(
                level * (1 / self.top_db) + (1 - reference / self.top_db), 0, 1
            )

            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                down = tf.where(values > 0, upstream * (1 / self.top_db), 0.0)
                return down, -tf.reduce_sum(down, axis=[1, 2], keepdims=True)

            return values, gradient

        # This takes half of the passes over the levels that automatic differentiation takes.
        return channel(level, reference)

    def range_db(self, level: tf.Tensor) -> tf.Tensor:
        return tf.fill(tf.shape(self.reference(level)), self.top_db)

    def channel_to_magnitude(
        self, channel: tf.Tensor, reference: tf.Tensor, range_db: tf.Tensor | None = None
    ) -> tf.Tensor:
        magnitude = self.level_to_magnitude((channel - 1) * self.top_db + reference)
        return tf.where(channel > 0, magnitude, 0.0)

    def channel_to_power(self, channel: tf.Tensor) -> tf.Tensor:
        return db_to_power((channel - 1) * self.top_db)


class MinMax(Decibels):
    """Levels in dB; the channel maps the clip's own minimum and maximum to 0 and 1.

    The minimum and the maximum are excluded from the gradient. Silence is black, as with `top_db`.

    Source: "Dreaming in Music", section III-A: "scaled to the range (0, 1)".

    >>> scale = MinMax(StftSpec(n_fft=256, hop_samples=64), top_db=80.0)
    >>> level = scale.power_to_level(tf.constant([[[4096.0, 40.96, 0.4096]]]))
    >>> scale.level_to_channel(level, scale.reference(level)).numpy().round(3)
    array([[[1. , 0.5, 0. ]]], dtype=float32)
    """

    def range_db(self, level: tf.Tensor) -> tf.Tensor:
        loudest = tf.reduce_max(level, axis=[1, 2], keepdims=True)
        lowest = tf.reduce_min(level, axis=[1, 2], keepdims=True)
        lowest = tf.where(loudest < SILENT_CLIP_DB, SILENT_CLIP_DB, lowest)
        return tf.maximum(self.reference(level) - lowest, _LEAST_RANGE_DB)

    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        range_db = tf.stop_gradient(self.range_db(level))
        return tf.clip_by_value(1 + (level - tf.stop_gradient(reference)) / range_db, 0, 1)

    def channel_to_magnitude(
        self, channel: tf.Tensor, reference: tf.Tensor, range_db: tf.Tensor | None = None
    ) -> tf.Tensor:
        if range_db is None:
            raise ConfigError(_UNKNOWN_RANGE)
        magnitude = self.level_to_magnitude((channel - 1) * range_db + reference)
        is_silent = (channel <= 0) & (reference - range_db <= SILENT_CLIP_DB)
        return tf.where(is_silent, 0.0, magnitude)

    def channel_to_power(self, channel: tf.Tensor) -> tf.Tensor:
        raise ConfigError(_UNKNOWN_RANGE)


class AbsoluteScale(Scale):
    """Base of scales whose levels are the channel: it does not depend on a reference."""

    def reference(self, level: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(level, axis=[1, 2], keepdims=True)

    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        return level

    def channel_to_magnitude(
        self, channel: tf.Tensor, reference: tf.Tensor, range_db: tf.Tensor | None = None
    ) -> tf.Tensor:
        return self.level_to_magnitude(channel)

    def channel_to_power(self, channel: tf.Tensor) -> tf.Tensor:
        return self.level_to_magnitude(channel) ** 2


class Magnitude(AbsoluteScale):
    """Levels that are the magnitude itself; negative levels are silent.

    Source: "Music generation using style transfer", baseline CNN.

    >>> Magnitude().level_to_magnitude(tf.constant([[[3.0, -1.0]]])).numpy()
    array([[[3., 0.]]], dtype=float32)
    """

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(power + _TINY_POWER)

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return tf.maximum(level, 0.0)


class Log1p(AbsoluteScale):
    """Levels ln(1 + magnitude).

    Source: Ulyanov and Lebedev, "Audio texture synthesis and style transfer".

    >>> Log1p().level_to_magnitude(tf.math.log1p([[[3.0]]])).numpy().round(3)
    array([[[3.]]], dtype=float32)
    """

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return tf.math.log1p(tf.sqrt(power + _TINY_POWER))

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return tf.math.expm1(tf.maximum(level, 0.0))


class LogPower(AbsoluteScale):
    """Levels log10(1 + compression · power).

    Args:
      compression: factor of the power: levels of lower power are approximately proportional to the
        power, those of higher power to its logarithm.

    Source: Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio
    tagging".

    >>> scale = LogPower(compression=10000.0)
    >>> scale.power_to_level(tf.constant([[[0.0, 0.0099, 9.9999]]])).numpy().round(3)
    array([[[0., 2., 5.]]], dtype=float32)
    """

    def __init__(self, compression: float) -> None:
        self.compression = compression

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return tf.math.log1p(self.compression * power) * (1 / math.log(10))

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(self.channel_to_power(level) + _TINY_POWER)

    def channel_to_magnitude(
        self, channel: tf.Tensor, reference: tf.Tensor, range_db: tf.Tensor | None = None
    ) -> tf.Tensor:
        return tf.where(channel > 0, self.level_to_magnitude(channel), 0.0)

    def channel_to_power(self, channel: tf.Tensor) -> tf.Tensor:
        return tf.math.expm1(tf.maximum(channel, 0.0) * math.log(10)) / self.compression


def round_to_float16(values: tf.Tensor) -> tf.Tensor:
    """Round to the precision and the range of float16, 0 to 65504; the gradient is not rounded.

    >>> round_to_float16(tf.constant([1.0001, 1e-9, 1e9])).numpy().tolist()
    [1.0, 0.0, 65504.0]
    """

    @tf.custom_gradient
    def straight_through(values: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        limited = tf.minimum(values, tf.float16.max)
        return tf.cast(tf.cast(limited, tf.float16), values.dtype), lambda upstream: upstream

    return straight_through(values)
