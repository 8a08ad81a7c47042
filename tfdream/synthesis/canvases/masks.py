"""Masks: weights that limit a change to parts of a file."""

import math

import tensorflow as tf

from tfdream.config import MaskConfig, StftSpec
from tfdream.signal.stft import power_to_dbfs, stft_to_power
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines

# Widths of the transitions between weights 0 and 1.
_EDGE_OCTAVES = 1 / 6
_EDGE_SECONDS = 0.05
_EDGE_DB = 6.0
_TINY = 1e-6


class Mask:
    """Weights from 0 (unchanged) to 1 (changes freely) for the cells of an STFT.

    Args:
      config: limits of frequency, time and level, and the strength.
      sample_rate: sample rate of the waveforms in Hz.
      timelines: curves of the recipe, of which ``mask.strength`` is used.
    """

    def __init__(
        self, config: MaskConfig, sample_rate: int, timelines: Timelines = NO_TIMELINES
    ) -> None:
        self.config = config
        self.sample_rate = sample_rate
        self.strength = timelines.continuous.get("mask.strength")
        self.period_seconds = timelines.period_seconds

    @classmethod
    def build(
        cls, config: MaskConfig, sample_rate: int, timelines: Timelines = NO_TIMELINES
    ) -> "Mask | None":
        """Build the mask of a configuration; None if it has no limits."""
        if config == MaskConfig() and "mask.strength" not in timelines.continuous:
            return None
        return cls(config, sample_rate, timelines)

    def __call__(
        self, stft: tf.Tensor, spec: StftSpec, start_seconds: tf.Tensor | float
    ) -> tf.Tensor:
        """Compute the weights of an STFT's cells.

        Args:
          stft: STFT of the original, complex64 `[batch, frames, bins]`.
          spec: the transform.
          start_seconds: start of each example in its file, `[batch]` or one for all.

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
        seconds = frame_seconds(stft, spec, self.sample_rate, start_seconds)
        if self.period_seconds is not None:
            seconds = tf.math.floormod(seconds, self.period_seconds)
        if config.time_seconds is not None:
            start, end = config.time_seconds
            if start > 0:
                weight *= _rise((seconds - start) / _EDGE_SECONDS)
            weight *= _rise((end - seconds) / _EDGE_SECONDS)
        weight *= config.strength if self.strength is None else self.strength.at(seconds)
        if config.protect_above_db is not None:
            weight *= 1 - louder(stft, spec, config.protect_above_db)
        if config.protect_below_db is not None:
            weight *= louder(stft, spec, config.protect_below_db)
        return weight


def frame_seconds(
    stft: tf.Tensor, spec: StftSpec, sample_rate: int, start_seconds: tf.Tensor | float
) -> tf.Tensor:
    """Return the time of each frame of an STFT in its file.

    Args:
      stft: complex64 `[batch, frames, bins]`.
      spec: the transform.
      sample_rate: in Hz.
      start_seconds: start of each example in its file, `[batch]` or one for all.

    Returns:
      float32 `[batch, frames, 1]`, or `[1, frames, 1]`.
    """
    frames = tf.range(stft.shape[1] or tf.shape(stft)[1], dtype=tf.float32)
    seconds = frames * (spec.hop_samples / sample_rate)
    starts = tf.reshape(tf.cast(start_seconds, tf.float32), [-1, 1])
    return (starts + seconds)[..., tf.newaxis]


def louder(stft: tf.Tensor, spec: StftSpec, threshold_db: float) -> tf.Tensor:
    """Return weights that are 1 for cells louder than a threshold and 0 for softer ones.

    Args:
      stft: complex64 `[batch, frames, bins]`.
      spec: the transform.
      threshold_db: level relative to the loudest cell at which the weight is ½.

    Returns:
      float32 of the same shape.
    """
    level = power_to_dbfs(stft_to_power(stft), spec)
    level -= tf.reduce_max(level, axis=[1, 2], keepdims=True)
    return _rise((level - threshold_db) / _EDGE_DB)


def _rise(distance: tf.Tensor) -> tf.Tensor:
    """Rise linearly from 0 to 1, through ½ at distance 0."""
    return tf.clip_by_value(0.5 + distance, 0.0, 1.0)


def _log2(hertz: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(hertz, _TINY)) / math.log(2)
