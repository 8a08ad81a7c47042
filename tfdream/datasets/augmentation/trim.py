"""Random trimming of soft beginnings and ends."""

import math
from typing import Literal

import tensorflow as tf
from pydantic import model_validator

from tfdream.config import NotPositive, WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import between, check_range, draw, split
from tfdream.signal.decibels import db_to_amplitude

_FRAME_SECONDS = 0.01


class TrimConfig(WaveformAugmentationConfig):
    """Soft beginnings and ends are silenced, as in recordings that were cut at some level.

    Such recordings lack soft consonants and the decay of notes.
    """

    kind: Literal["trim"]
    min_db: NotPositive = -50.0
    """The example is silenced before its first and after its last frame of 10 ms above a level,
    relative to its loudest frame. Both levels are drawn from `min_db` to `max_db`."""
    max_db: NotPositive = -15.0

    @model_validator(mode="after")
    def _range_ascends(self) -> "TrimConfig":
        check_range("min_db", self.min_db, "max_db", self.max_db)
        return self


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: TrimConfig, sample_rate: int
) -> tf.Tensor:
    """Silence the frames before the first and after the last loud one."""
    samples = waveform.shape[1]
    length = max(1, round(_FRAME_SECONDS * sample_rate))
    count = math.ceil(samples / length)
    padded = tf.pad(waveform, [[0, 0], [0, count * length - samples]])
    frames = tf.reshape(padded, [-1, count, length])
    level = tf.sqrt(tf.reduce_mean(frames**2, axis=2))
    relative = tf.math.divide_no_nan(level, tf.reduce_max(level, axis=1, keepdims=True))
    begins, ends = (
        relative >= db_to_amplitude(draw(waveform, each, config.min_db, config.max_db))[:, None]
        for each in split(seed, 2)
    )
    trimmed = tf.where(between(begins, ends)[:, :, None], frames, 0.0)
    return tf.reshape(trimmed, [-1, count * length])[:, :samples]
