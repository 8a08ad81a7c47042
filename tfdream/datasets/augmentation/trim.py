"""Random trimming of soft beginnings and ends."""

import math
from typing import Literal

import tensorflow as tf
from pydantic import model_validator

from tfdream.config import NotPositive, Share, WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import between, check_range, draw, per_example, split
from tfdream.signal.scales import db_to_amplitude

_FRAME_SECONDS = 0.01
_FAINT_DB = -100.0


class TrimConfig(WaveformAugmentationConfig):
    """Soft beginnings and ends are silenced, as in recordings that were cut at some level.

    Such recordings lack soft consonants and the decay of notes.
    """

    kind: Literal["trim"]
    min_db: NotPositive = -50.0
    """The example is silenced before its first and after its last frame of 10 ms above a level,
    relative to its loudest frame. Both levels are drawn from `min_db` to `max_db`."""
    max_db: NotPositive = -15.0
    faint_share: Share = 0.0
    """Share of the examples whose ends become inaudible (100 dB softer) instead of silent: noise
    that follows covers them, as in a recording whose soft consonants are below its noise."""

    @model_validator(mode="after")
    def _range_ascends(self) -> "TrimConfig":
        check_range("min_db", self.min_db, "max_db", self.max_db)
        return self


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: TrimConfig, sample_rate: int
) -> tf.Tensor:
    """Silence the frames before the first and after the last loud one, or make them inaudible."""
    samples = waveform.shape[1]
    length = max(1, round(_FRAME_SECONDS * sample_rate))
    count = math.ceil(samples / length)
    padded = tf.pad(waveform, [[0, 0], [0, count * length - samples]])
    frames = tf.reshape(padded, [-1, count, length])
    level = tf.sqrt(tf.reduce_mean(frames**2, axis=2))
    relative = tf.math.divide_no_nan(level, tf.reduce_max(level, axis=1, keepdims=True))
    *level_seeds, faint_seed = split(seed, 3)
    begins, ends = (
        relative >= db_to_amplitude(draw(waveform, each, config.min_db, config.max_db))[:, None]
        for each in level_seeds
    )
    faint = draw(waveform, faint_seed, 0, 1) < config.faint_share
    rest = frames * per_example(tf.where(faint, db_to_amplitude(_FAINT_DB), 0.0), frames)
    trimmed = tf.where(between(begins, ends)[:, :, None], frames, rest)
    return tf.reshape(trimmed, [-1, count * length])[:, :samples]
