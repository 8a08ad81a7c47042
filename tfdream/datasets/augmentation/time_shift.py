"""Random circular shift of the samples."""

import math
from typing import Literal

import tensorflow as tf

from tfdream.config import Positive, WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import roll


class TimeShiftConfig(WaveformAugmentationConfig):
    """A random circular shift in time."""

    kind: Literal["time_shift"]
    seconds: Positive | None = None
    """Largest shift in either direction; null allows the whole clip."""


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: TimeShiftConfig, sample_rate: int
) -> tf.Tensor:
    """Shift each example circularly."""
    limit = waveform.shape[1]
    if config.seconds is not None:
        limit = min(limit, math.ceil(config.seconds * sample_rate))
    return roll(waveform, seed, limit, axis=1)
