"""The inputs that a clip is classified by: its windows, at one or several playback speeds.

The probabilities of a clip are the mean over them. Source: Krizhevsky, Sutskever and Hinton,
"ImageNet classification with deep convolutional neural networks" (2012), section 4.1, where the
inputs are crops and reflections of an image.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from tfdream.config import BaseExperiment


def window_starts(config: BaseExperiment) -> list[int]:
    """Return where each model input starts in a clip, in samples: evenly spaced, covering it."""
    excess = config.prepare.clip_samples - config.input_samples
    windows = math.ceil(config.prepare.clip_samples / config.input_samples)
    return [round(number * excess / max(1, windows - 1)) for number in range(windows)]


def at_speeds(waveform: tf.Tensor, speeds: Sequence[float]) -> tf.Tensor:
    """Play each example at every speed.

    Args:
      waveform: float32 `[batch, samples]`.
      speeds: factors of the tempo and the pitch.

    Returns:
      float32 `[batch × speeds, samples]`, the speeds of an example beside each other; cut off, or
      followed by zeros.
    """
    played = [waveform if speed == 1 else at_speed(waveform, speed) for speed in speeds]
    return tf.reshape(tf.stack(played, axis=1), [-1, waveform.shape[1]])


def at_speed(waveform: tf.Tensor, factor: tf.Tensor | float) -> tf.Tensor:
    """Resample each example from its first sample on; zeros follow its last one.

    Samples are interpolated by a cubic (Catmull–Rom), whose error is 68 dB below a tone at 1/20 of
    the sample rate and 30 dB below one at 1/5. Frequencies beyond half the sample rate alias: music
    has little energy there, and a windowed sinc takes three to five times as long.

    Args:
      waveform: float32 `[batch, samples]`.
      factor: factor of the tempo and the pitch; a number, or float64 `[batch]`.

    Returns:
      float32 `[batch, samples]`.
    """
    samples = waveform.shape[1]
    # float64: a place of seven digits would leave a long clip two for what lies between samples.
    factors = tf.broadcast_to(tf.cast(factor, tf.float64), tf.shape(waveform)[:1])
    place = tf.minimum(factors[:, tf.newaxis] * tf.range(samples, dtype=tf.float64), samples)
    index = tf.cast(place, tf.int32)
    t = tf.cast(place - tf.floor(place), tf.float32)
    padded = tf.pad(waveform, [[0, 0], [1, 3]])
    a, b, c, d = (tf.gather(padded, index + tap, batch_dims=1) for tap in range(4))
    return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
