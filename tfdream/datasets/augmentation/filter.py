"""Random filter: the response of another room and microphone."""

from typing import Annotated, Literal

import numpy as np
import tensorflow as tf
from pydantic import Field

from tfdream.config import Count, Positive, Share, WaveformAugmentationConfig
from tfdream.datasets.augmentation.base import draw, per_example, split

_TAP_DECAY = 0.7
"""Deviation of a tap, relative to the one before it."""


class FilterConfig(WaveformAugmentationConfig):
    """A random tilt of the spectrum and a short random reverberation."""

    kind: Literal["filter"]
    deviation: Positive = 0.3
    """Standard deviation of the first tap after the direct sound; each tap has 0.7 of the
    deviation of the one before."""
    taps: Count = 5
    emphasis: Annotated[Share, Field(gt=0)] = 0.9
    """Largest emphasis of high frequencies; low ones are emphasized by at most half as much."""


def augment(
    waveform: tf.Tensor, seed: tf.Tensor, config: FilterConfig, sample_rate: int
) -> tf.Tensor:
    """Convolve each example with a short random response, and restore its mean power."""
    tilt_seed, tap_seed = split(seed, 2)
    tilt = draw(waveform, tilt_seed, -config.emphasis / 2, config.emphasis)
    decay = config.deviation * _TAP_DECAY ** np.arange(config.taps, dtype=np.float32)
    taps = tf.random.stateless_normal([tf.shape(waveform)[0], config.taps], tap_seed) * decay
    changed = waveform - per_example(tilt, waveform) * _delay(waveform, 1)
    changed += tf.add_n(
        [taps[:, tap : tap + 1] * _delay(changed, tap + 1) for tap in range(config.taps)]
    )
    before, after = (tf.reduce_mean(x**2, axis=1, keepdims=True) for x in (waveform, changed))
    return changed * tf.sqrt(tf.math.divide_no_nan(before, after))


def _delay(waveform: tf.Tensor, samples: int) -> tf.Tensor:
    return tf.pad(waveform, [[0, 0], [samples, 0]])[:, : waveform.shape[1]]
