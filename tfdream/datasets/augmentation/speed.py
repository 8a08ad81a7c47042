"""Random playback speed: pitch and tempo change together."""

import math
from typing import Literal

import tensorflow as tf
from pydantic import model_validator

from tfdream.config import Positive, WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import check_range, draw
from tfdream.datasets.views import at_speed


class SpeedConfig(WaveformAugmentationConfig):
    """A random playback speed, as of tape; the length of the clip stays the same."""

    kind: Literal["speed"]
    min_factor: Positive = 0.9
    max_factor: Positive = 1.1

    @model_validator(mode="after")
    def _range_ascends(self) -> "SpeedConfig":
        check_range("min_factor", self.min_factor, "max_factor", self.max_factor)
        return self


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: SpeedConfig, sample_rate: int
) -> tf.Tensor:
    """Play each example at a random speed, see `views.at_speed`."""
    low, high = math.log(config.min_factor), math.log(config.max_factor)
    return at_speed(waveform, tf.exp(draw(waveform, seed, low, high, tf.float64)))
