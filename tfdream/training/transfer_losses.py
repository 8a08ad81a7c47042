"""Losses of transfer networks, and random changes of their examples.

Levels are float32 `[batch, frames, bands]` in dB relative to the mean power of each recording, see
`relative_levels`.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdream.signal.decibels import db_to_power, power_to_db
from tfdream.signal.timbre import REFERENCE_DB

RANGE_DB = 80.0
"""Levels this far below the loudest band of the target do not count."""
_SOFT_DB = 60.0
_MFCC = 13
_EQUALIZER_ORDER = 8
_FLOOR_RANGE_DB, _FLOOR_WIDTH_DB, _NO_FLOOR_DB = (-85.0, -50.0), 4.0, -200.0
_LOWEST_LIMIT = 0.4
"""Lowest limit of bands, as a share of their number."""


class Losses(NamedTuple):
    """Losses of each example, float32 `[batch]`.

    Attributes:
      level_db: root mean square difference to the levels of the target, averaged over frames.
      timbre: distance of the mean MFCC 1 to 13 to those of the target.
      onsets_db: mean difference to the content's rise of the levels from frame to frame.
      floor_db: mean rise of bands that are soft in content and target.
    """

    level_db: tf.Tensor
    timbre: tf.Tensor
    onsets_db: tf.Tensor
    floor_db: tf.Tensor


def compute(
    output: tf.Tensor, content: tf.Tensor, target: tf.Tensor, band_weights: tf.Tensor
) -> Losses:
    """Compare the levels of an output with those of content and target.

    Args:
      output: levels.
      content: levels of the same frames.
      target: levels of the same frames.
      band_weights: weight of each band in `level_db`, `[bands]`, with a mean of 1.
    """
    lowest = tf.reduce_max(target, axis=[1, 2], keepdims=True) - RANGE_DB
    output_db, target_db, content_db = (
        tf.maximum(each, lowest) for each in (output, target, content)
    )
    error = output_db - target_db
    level_db = tf.reduce_mean(_root(tf.reduce_mean(band_weights * error**2, axis=2)), axis=1)
    timbre = _root(tf.reduce_sum((tf.reduce_mean(error, axis=1) @ _mfcc_matrix(error)) ** 2, 1))
    onsets = tf.abs(onset_strength(output_db) - onset_strength(content_db))
    soft_db = tf.reduce_max(content, axis=[1, 2], keepdims=True) - _SOFT_DB
    excess = tf.nn.relu(output - tf.maximum(tf.maximum(content, target), soft_db - 20))
    is_soft = tf.cast((content < soft_db) & (target < lowest + RANGE_DB - _SOFT_DB), tf.float32)
    return Losses(
        level_db,
        timbre,
        tf.reduce_mean(onsets, axis=1),
        tf.reduce_sum(excess * is_soft, [1, 2]) / (1 + tf.reduce_sum(is_soft, [1, 2])),
    )


def relative_levels(level_db: tf.Tensor) -> tf.Tensor:
    """Shift the levels of each recording so that its mean power over frames is 25 dB."""
    power = tf.reduce_sum(db_to_power(level_db), axis=2)
    mean_db = power_to_db(tf.reduce_mean(power, axis=1) + 1e-20)
    return level_db - mean_db[:, tf.newaxis, tf.newaxis] + REFERENCE_DB


def random_equalizer(seed: tf.Tensor, batch: tf.Tensor, bands: int, width_db: float) -> tf.Tensor:
    """Return smooth random gains of bands in dB, float32 `[batch, 1, bands]`.

    Args:
      seed: integers `[2]`.
      batch: number of curves.
      bands: number of mel bands.
      width_db: standard deviation of the gains.
    """
    place = (np.arange(bands) + 0.5) / bands
    order = np.arange(1, _EQUALIZER_ORDER + 1)[:, np.newaxis]
    waves = np.cos(np.pi * order * place) / np.sqrt(order)
    waves *= width_db / np.sqrt((waves**2).sum(axis=0).mean())
    strength = tf.random.stateless_normal([batch, _EQUALIZER_ORDER], seed)
    return (strength @ tf.constant(waves, tf.float32))[:, tf.newaxis]


def random_floor(seed: tf.Tensor, batch: tf.Tensor, bands: int, share: float) -> tf.Tensor:
    """Return random noise floors in dB relative to the maximum, float32 `[batch, 1, bands]`.

    Args:
      seed: integers `[2]`.
      batch: number of floors.
      bands: number of mel bands.
      share: share of the floors that are audible.
    """
    seeds = tf.random.split(seed, 3)
    levels_db = tf.random.stateless_uniform([batch, 1, 1], seeds[0], *_FLOOR_RANGE_DB)
    is_audible = tf.random.stateless_uniform([batch, 1, 1], seeds[1]) < share
    curve_db = random_equalizer(seeds[2], batch, bands, _FLOOR_WIDTH_DB)
    return tf.where(is_audible, levels_db + curve_db, _NO_FLOOR_DB)


def random_band_limit(seed: tf.Tensor, batch: tf.Tensor, bands: int, share: float) -> tf.Tensor:
    """Return gains in dB that remove all bands above a random one, float32 `[batch, 1, bands]`.

    Args:
      seed: integers `[2]`.
      batch: number of curves.
      bands: number of mel bands.
      share: share of the curves that remove bands; the others are zero.
    """
    seeds = tf.random.split(seed, 2)
    limit = tf.random.stateless_uniform([batch, 1, 1], seeds[0], _LOWEST_LIMIT, 1.0) * bands
    is_limited = tf.random.stateless_uniform([batch, 1, 1], seeds[1]) < share
    return tf.where(is_limited & (tf.range(bands, dtype=tf.float32) > limit), _NO_FLOOR_DB, 0.0)


def equalize(content: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Return the content's levels with the mean power of the style in each band: a baseline."""
    means = [
        power_to_db(tf.reduce_mean(db_to_power(each), axis=1, keepdims=True))
        for each in (content, style)
    ]
    return content + means[1] - means[0]


def onset_strength(levels: tf.Tensor) -> tf.Tensor:
    """Return the mean rise of the bands from frame to frame, `[batch, frames − 1]`.

    Unlike that of `signal.onsets`, it is a TensorFlow function; the first frame has no value.
    """
    return tf.reduce_mean(tf.nn.relu(levels[:, 1:] - levels[:, :-1]), axis=2)


def _root(values: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(values + 1e-6)


def _mfcc_matrix(level_db: tf.Tensor) -> tf.Tensor:
    """Return the orthonormal cosines 1 to 13 over the bands, `[bands, 13]`."""
    bands = level_db.shape[-1]
    place = (np.arange(bands) + 0.5)[:, np.newaxis]
    cosines = np.cos(np.pi / bands * place * np.arange(1, _MFCC + 1)) * np.sqrt(2 / bands)
    return tf.constant(cosines, tf.float32)
