"""White noise at a random level."""

from typing import Literal

import tensorflow as tf
from pydantic import FiniteFloat, model_validator

from tfdream.config import WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import (
    between,
    check_range,
    draw,
    per_example,
    split,
)
from tfdream.signal.decibels import db_to_amplitude


class NoiseConfig(WaveformAugmentationConfig):
    """White Gaussian noise at a random signal-to-noise ratio.

    Silent examples, and zeros before the first and after the last sound, stay silent: they are
    padding.
    """

    kind: Literal["noise"]
    min_snr_db: FiniteFloat = 20.0
    max_snr_db: FiniteFloat = 60.0

    @model_validator(mode="after")
    def _range_ascends(self) -> "NoiseConfig":
        check_range("min_snr_db", self.min_snr_db, "max_snr_db", self.max_snr_db)
        return self


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: NoiseConfig, sample_rate: int
) -> tf.Tensor:
    """Add noise at a random distance from the mean power of each example."""
    snr_seed, noise_seed = split(seed, 2)
    snr_db = draw(waveform, snr_seed, config.min_snr_db, config.max_snr_db)
    level = tf.sqrt(tf.reduce_mean(waveform**2, axis=1, keepdims=True))
    deviation = level * per_example(db_to_amplitude(-snr_db), waveform)
    noise = deviation * tf.random.stateless_normal(tf.shape(waveform), noise_seed)
    sounds = waveform != 0
    return waveform + tf.where(between(sounds, sounds), noise, 0.0)
