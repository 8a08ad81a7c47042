"""Statistics of a texture over time that do not depend on the pitches in it."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import TransferConfig
from tfdream.config.recipes import Statistic
from tfdream.signal.decibels import power_to_db
from tfdream.signal.graphs import compiled
from tfdream.signal.images import Size
from tfdream.synthesis.ascent.gram import full_tiles
from tfdream.synthesis.ascent.objectives.base import (
    INPUT,
    Activations,
    Objective,
    Targets,
    all_but_batch,
)
from tfdream.synthesis.ascent.spectrum import Spectrum
from tfdream.synthesis.audio_model import AudioModel

_BANDS = 32
_LOWEST_HZ = 60.0
# Within a larger range, the gaps between partials make statistics depend on the pitch.
_RANGE_DB = 40.0
_SOUNDING_DB = 30.0
_ENVELOPE_ORDER = 10
_MODULATION_WIDTHS = (1, 2, 4, 8, 16, 32)
_RHYTHM_GROUPS = 4
_TINY = 1e-6

StatisticFn = Callable[[tf.Tensor], tf.Tensor]
"""Levels float32 `[batch, columns, bands]` in dB → statistics float32 `[batch, …]`."""


def envelope(levels_db: tf.Tensor) -> tf.Tensor:
    """Mean and deviation over time of the lowest cepstral coefficients, in dB.

    The mean of the first coefficient, the level, is left out. Columns more than 30 dB below the
    loudest band do not count.

    Source: Aucouturier and Pachet, "Improving timbre similarity: how high's the sky?", section 2
    (the low quefrencies as timbre, without pitch).
    """
    order, band = np.arange(_ENVELOPE_ORDER), np.arange(_BANDS)
    cosines = np.cos(np.pi / _BANDS * np.outer(band + 0.5, order)) * np.sqrt(2 / _BANDS)
    cepstrum = tf.matmul(levels_db, tf.constant(cosines, tf.float32))
    loudest = tf.reduce_max(levels_db, axis=2, keepdims=True)
    sounding = loudest > tf.reduce_max(loudest, axis=1, keepdims=True) - _SOUNDING_DB
    weight = tf.stop_gradient(tf.cast(sounding, tf.float32))
    count = tf.reduce_sum(weight, axis=1)
    mean = tf.reduce_sum(weight * cepstrum, axis=1) / count
    squares = weight * (cepstrum - mean[:, tf.newaxis]) ** 2
    deviation = tf.sqrt(tf.reduce_sum(squares, axis=1) / count + _TINY)
    return tf.concat([mean[:, 1:], deviation], axis=1)


def modulation(levels_db: tf.Tensor) -> tf.Tensor:
    """Deviation of each band's level at several time scales, in dB: `[batch, bands, scales]`.

    A scale contains what a moving average over w columns keeps and one over 2w removes.

    Source: McDermott and Simoncelli, "Sound texture perception via statistics of the auditory
    periphery", modulation power; with moving averages instead of band-pass filters.
    """
    averages = [levels_db]
    for width in _MODULATION_WIDTHS:
        averages.append(tf.nn.avg_pool1d(levels_db, 2 * width, 1, "SAME"))
    scales = [
        tf.sqrt(tf.reduce_mean((fine - coarse) ** 2, axis=1) + _TINY)
        for fine, coarse in itertools.pairwise(averages)
    ]
    return tf.stack(scales, axis=2)


def autocorrelation(levels_db: tf.Tensor) -> tf.Tensor:
    """Autocorrelation of the onset strength in four ranges of bands, `[batch, lags, ranges]`.

    Lags are up to half of the columns; the value at lag 0, which would be 1, is left out. The
    onset strength is averaged over the bands of each range, not over all bands. With fewer than 5
    columns there is no lag: the result is zero.

    Source: Antognini, Hoffman and Weiss, "Audio texture synthesis with random neural networks:
    improving diversity and quality", section 2.2 (autocorrelation terms for rhythm).
    """
    rise = tf.nn.relu(levels_db[:, 1:] - levels_db[:, :-1])
    columns = rise.shape[1]
    if columns < 4:
        return tf.zeros([tf.shape(rise)[0], 1, _RHYTHM_GROUPS])
    groups = tf.reshape(rise, [-1, columns, _RHYTHM_GROUPS, _BANDS // _RHYTHM_GROUPS])
    strength = tf.transpose(tf.reduce_mean(groups, axis=3), [0, 2, 1])
    strength -= tf.reduce_mean(strength, axis=2, keepdims=True)
    spectrum = tf.signal.rfft(strength, [2 * columns])
    correlation = tf.signal.irfft(spectrum * tf.math.conj(spectrum), [2 * columns])
    lags = correlation[:, :, 1 : columns // 2]
    return tf.transpose(lags / (correlation[:, :, :1] + _TINY), [0, 2, 1])


_STATISTICS: dict[Statistic, StatisticFn] = {
    "envelope": envelope,
    "modulation": modulation,
    "autocorrelation": autocorrelation,
}


class BandLevels:
    """Levels in bands that are equally wide on the mel scale, from a model's input.

    Args:
      spectrum: reads the input.
    """

    def __init__(self, spectrum: Spectrum) -> None:
        self.spectrum = spectrum

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Return float32 `[batch, columns, bands]` in dB, at most 40 dB below the largest one."""
        power = self.spectrum.power(image)
        weights = _mel_weights(self.spectrum.frequencies_hz(image.shape[1]))
        bands = tf.einsum("bft,fm->btm", power, tf.constant(weights))
        largest = tf.reduce_max(bands, axis=[1, 2], keepdims=True)
        floor = tf.stop_gradient(largest) * 10 ** (-_RANGE_DB / 10)
        return power_to_db(bands + floor + _TINY**2)


def statistic_loss(
    name: Statistic,
    style_path: str | Path,
    audio_model: AudioModel,
    config: TransferConfig,
    size: Size | None,
) -> Objective:
    """Return the mean squared difference of a statistic from that of a style.

    Args:
      name: the statistic.
      style_path: any audio file; the statistic is averaged over its tiles.
      audio_model: its frontend makes the images.
      config: length of the tiles.
      size: size of an octave, to which the image is resized; None for the image as it is.

    Raises:
      ConfigError: if the frontend gives no image of levels or magnitudes over frequency.
    """
    spectrum = Spectrum.of(
        audio_model.frontend, audio_model.sample_rate, f"style_statistics={name}"
    )
    levels, statistic = BandLevels(spectrum), _STATISTICS[name]

    @compiled
    def of_tile(tile: tf.Tensor) -> tf.Tensor:
        return statistic(levels(audio_model.frontend(tile, size)))

    tiles = full_tiles(style_path, audio_model, config)
    target = tf.reduce_mean([of_tile(tf.constant(tile))[0] for tile in tiles], axis=0)

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        difference = statistic(levels(activations[INPUT])) - target
        return tf.reduce_mean(difference**2, all_but_batch(difference))

    return Objective(f"{name}()", frozenset(), value)


def _mel_weights(frequencies_hz: NDArray[Any]) -> NDArray[np.float32]:
    """Return the share of each frequency in the two bands next to it, `[frequencies, bands]`."""
    mel = 2595 * np.log10(1 + np.asarray([_LOWEST_HZ, *frequencies_hz]) / 700)
    places = (mel[1:] - mel[0]) / (mel.max() - mel[0]) * (_BANDS - 1)
    shares = np.maximum(0, 1 - np.abs(places[:, np.newaxis] - np.arange(_BANDS)))
    weights: NDArray[np.float32] = shares.astype(np.float32)
    return weights
