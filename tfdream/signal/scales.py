"""Scales of level: how loud a cell of an STFT is, as a number that networks take.

A scale turns power into level and back into magnitude, and levels into the channel of an image.
"""

import abc
from typing import Any

import tensorflow as tf

from tfdream.config import StftSpec
from tfdream.signal.stft import db_to_magnitude, power_to_db

# A clip whose loudest bin lies under this is silence: its image is black, not noise made visible.
SILENCE_DB = -100.0
# Under the root of a magnitude, which has no derivative at zero.
_TINY_POWER = 1e-10


class Scale(abc.ABC):
    """Levels are float32 `[batch, frames, bins]`, references float32 `[batch, 1, 1]`."""

    @abc.abstractmethod
    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        """Power of an STFT → level."""

    @abc.abstractmethod
    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        """Level → magnitude of an STFT."""

    @abc.abstractmethod
    def reference(self, level: tf.Tensor) -> tf.Tensor:
        """What the levels of a clip are measured against."""

    @abc.abstractmethod
    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Level → channel of an image."""

    @abc.abstractmethod
    def channel_to_magnitude(self, channel: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Channel of an image → magnitude, as far as the image tells."""


class Decibels(Scale):
    """dB below the clip's loudest bin, `top_db` of them scaled to [0, 1]; black is silence.

    Source: "Dreaming in Music", section III-A.
    """

    def __init__(self, spec: StftSpec, top_db: float) -> None:
        self.spec = spec
        self.top_db = top_db

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return power_to_db(power, self.spec)

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return db_to_magnitude(level, self.spec)

    def reference(self, level: tf.Tensor) -> tf.Tensor:
        loudest = tf.reduce_max(level, axis=[1, 2], keepdims=True)
        return tf.where(loudest < SILENCE_DB, SILENCE_DB + self.top_db, loudest)

    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def channel(level: tf.Tensor, reference: tf.Tensor) -> tuple[tf.Tensor, Any]:
            shown = tf.clip_by_value(
                level * (1 / self.top_db) + (1 - reference / self.top_db), 0, 1
            )

            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                down = tf.where(shown > 0, upstream * (1 / self.top_db), 0.0)
                return down, -tf.reduce_sum(down, axis=[1, 2], keepdims=True)

            return shown, gradient

        # Half of the passes over the levels that the gradient of its steps would take.
        return channel(level, reference)

    def channel_to_magnitude(self, channel: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        shown = self.level_to_magnitude((channel - 1) * self.top_db + reference)
        return tf.where(channel > 0, shown, 0.0)


class Log1p(Scale):
    """ln(1 + magnitude), without a reference: silence is 0, and loud is as loud as it is.

    Source: Ulyanov and Lebedev, "Audio texture synthesis and style transfer".
    """

    def power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return tf.math.log1p(tf.sqrt(power + _TINY_POWER))

    def level_to_magnitude(self, level: tf.Tensor) -> tf.Tensor:
        return tf.math.expm1(tf.maximum(level, 0.0))

    def reference(self, level: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(level, axis=[1, 2], keepdims=True)

    def level_to_channel(self, level: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        return level

    def channel_to_magnitude(self, channel: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        return self.level_to_magnitude(channel)
