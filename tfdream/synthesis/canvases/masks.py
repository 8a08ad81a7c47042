"""Masks: which parts of a recording may change, and how much."""

import itertools
import math

import tensorflow as tf

from tfdream.config import MaskConfig, StftSpec
from tfdream.signal.stft import power_to_db, stft_to_power

# How wide the borders of a mask are: what changes fades into what does not.
_EDGE_OCTAVES = 1 / 6
_EDGE_SECONDS = 0.05
_EDGE_DB = 6.0
_TINY = 1e-6


class Mask:
    """Weights from 0 (stays as it is) to 1 (changes freely) for the cells of an STFT.

    Args:
      config: the limits.
      sample_rate: of the waveforms, in Hz.
    """

    def __init__(self, config: MaskConfig, sample_rate: int) -> None:
        self.config = config
        self.sample_rate = sample_rate

    @classmethod
    def build(cls, config: MaskConfig, sample_rate: int) -> "Mask | None":
        """The mask that a configuration describes; None if it lets everything through."""
        return None if config == MaskConfig() else cls(config, sample_rate)

    def __call__(
        self, stft: tf.Tensor, spec: StftSpec, start_seconds: tf.Tensor | float
    ) -> tf.Tensor:
        """The weights.

        Args:
          stft: of the original, complex64 `[batch, frames, bins]`.
          spec: the transform.
          start_seconds: where each example begins in its recording, `[batch]` or one for all.

        Returns:
          float32 `[batch, frames, bins]`.
        """
        config = self.config
        weight = tf.ones(tf.shape(stft))
        if config.frequency_hz is not None:
            octaves = _log2(tf.linspace(0.0, self.sample_rate / 2, spec.bins))
            low, high = config.frequency_hz
            if low > 0:
                weight *= _rise((octaves - _log2(tf.constant(low))) / _EDGE_OCTAVES)
            if high < self.sample_rate / 2:
                weight *= _rise((_log2(tf.constant(high)) - octaves) / _EDGE_OCTAVES)
        frames = tf.range(stft.shape[1] or tf.shape(stft)[1], dtype=tf.float32)
        seconds = frames * (spec.hop_samples / self.sample_rate)
        seconds = (tf.reshape(start_seconds, [-1, 1]) + seconds)[..., tf.newaxis]
        if config.time_seconds is not None:
            start, end = config.time_seconds
            if start > 0:
                weight *= _rise((seconds - start) / _EDGE_SECONDS)
            weight *= _rise((end - seconds) / _EDGE_SECONDS)
        if config.strength:
            weight *= self._strength(seconds)
        if config.protect_above_db is not None:
            weight *= 1 - louder(stft, spec, config.protect_above_db)
        if config.protect_below_db is not None:
            weight *= louder(stft, spec, config.protect_below_db)
        return weight

    def _strength(self, seconds: tf.Tensor) -> tf.Tensor:
        """The strength at some times: straight lines from point to point."""
        points = self.config.strength
        strength = tf.fill(tf.shape(seconds), points[0][1])
        for (time, now), (later, then) in itertools.pairwise(points):
            passed = (seconds - time) / max(later - time, _TINY)
            strength += (then - now) * tf.clip_by_value(passed, 0.0, 1.0)
        return strength


def louder(stft: tf.Tensor, spec: StftSpec, threshold_db: float) -> tf.Tensor:
    """1 where an STFT is louder than a threshold below its loudest cell, 0 where it is softer.

    Args:
      stft: complex64 `[batch, frames, bins]`.
      spec: the transform.
      threshold_db: where it is a half.

    Returns:
      float32 of the same shape.
    """
    level = power_to_db(stft_to_power(stft), spec)
    level -= tf.reduce_max(level, axis=[1, 2], keepdims=True)
    return _rise((level - threshold_db) / _EDGE_DB)


def _rise(distance: tf.Tensor) -> tf.Tensor:
    """From 0 to 1 along a line, a half at the border itself."""
    return tf.clip_by_value(0.5 + distance, 0.0, 1.0)


def _log2(hertz: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(hertz, _TINY)) / math.log(2)
