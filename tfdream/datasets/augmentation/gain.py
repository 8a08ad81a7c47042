"""Random change of the level."""

from typing import Literal

import tensorflow as tf

from tfdream.config import Positive, WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import draw, per_example
from tfdream.signal.decibels import db_to_amplitude


class GainConfig(WaveformAugmentationConfig):
    """A random gain of up to `db` in either direction."""

    kind: Literal["gain"]
    db: Positive = 6.0


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: GainConfig, sample_rate: int
) -> tf.Tensor:
    """Scale each example by a gain that is uniform in dB."""
    gain_db = draw(waveform, seed, -config.db, config.db)
    return waveform * per_example(db_to_amplitude(gain_db), waveform)
