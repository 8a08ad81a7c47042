"""Statistics of the texture of a sound, computed from an image of its levels.

Rain, a fire and an engine are distinguished by how their levels vary, not by when they do so. These
statistics hardly depend on the position of an event in time:

- bands: mean, deviation, and the level of the mean power, which is high if events are rare;
- mel cepstra: means, deviations of the differences between frames, and the covariance, which
  represents how bands vary together;
- modulation spectra of groups of bands, in octaves of the modulation frequency;
- periodicity: the autocorrelation of the onset strength, in half octaves of the lag;
- ripples of short blocks: modulations along frequency and time together.

Source: McDermott and Simoncelli, "Sound texture perception via statistics of the auditory
periphery" (moments, correlations and modulation power of envelopes); Chi, Ru and Shamma,
"Multiresolution spectrotemporal analysis of complex sounds" (ripples); Tzanetakis and Cook,
"Musical genre classification of audio signals" (periodicity). The details are tfdream's.
"""

import math
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import scipy.fft
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.signal.decibels import db_to_power, power_to_db

CEPSTRA = 20
"""Coefficients of each frame, with the first one, the mean level."""
BAND_GROUPS = 8
BLOCK_FRAMES = 24
"""Length of the blocks, which overlap by half."""
RIPPLES = (16, 8)
"""Modulations of a block along frequency and along time."""
_RANGE_DB = 80
"""Levels in dB of an image's range from 0 to 1; for another range, the constants below differ."""
_SMALL_DB = 0.1
_SHORTEST_LAG = 2
_TINY = 1e-6


@keras.saving.register_keras_serializable("tfdream")
class TextureStatistics(keras.layers.Layer):
    """Computes statistics `[batch, count]` of images `[batch, bands, frames, 1]`.

    The size of the images is fixed, and so is the number of statistics. They are float32 in every
    precision of the network, because powers and logarithms of small differences are computed.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Compute the matrices of the transforms.

        Raises:
          ValueError: if the images are too small, or have several channels or no fixed size.
        """
        _, bands, frames, channels = input_shape
        if bands is None or frames is None or channels != 1:
            raise ValueError("statistics of textures require gray images of a fixed size")
        if bands < CEPSTRA or frames < BLOCK_FRAMES:
            raise ValueError(
                f"statistics of textures require {CEPSTRA} bands and {BLOCK_FRAMES} frames, or more"
            )
        self._to_cepstra = _cosines(bands, CEPSTRA)
        self._to_groups = _means(_ranges(np.linspace(0, bands, BAND_GROUPS + 1)), bands)
        self._to_modulation, octaves = _modulation(frames)
        self._to_octaves = _means(octaves, octaves[-1][1])
        lags = _SHORTEST_LAG * 2 ** np.arange(0, math.log2(frames / 2 / _SHORTEST_LAG), 0.5)
        self._lags = _ranges([*lags, frames // 2])
        super().build(input_shape)

    def call(self, image: tf.Tensor) -> tf.Tensor:
        """Compute the statistics of each example."""
        return tf.concat([*self.groups(image).values()], axis=1)

    def groups(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the groups of statistics `[batch, count]`, in the order of the output."""
        levels = _RANGE_DB * image[..., 0]
        cepstra = tf.einsum("bft,fc->bct", levels, self._to_cepstra)
        return {
            "bands": _moments(levels),
            "cepstra": _of_cepstra(cepstra),
            "modulation": self._modulation_spectra(levels),
            "periodicity": self._periodicity(levels),
            "ripples": _ripples(cepstra),
        }

    def _modulation_spectra(self, levels: tf.Tensor) -> tf.Tensor:
        groups = tf.einsum("bft,fg->bgt", _centered(levels), self._to_groups)
        cosines, sines = (groups @ waves for waves in self._to_modulation)
        magnitudes = tf.sqrt(cosines**2 + sines**2 + _TINY)
        return _flat(tf.math.log(magnitudes @ self._to_octaves + _TINY))

    def _periodicity(self, levels: tf.Tensor) -> tf.Tensor:
        rises = tf.nn.relu(levels[:, :, 1:] - levels[:, :, :-1])
        onsets = _centered(tf.reduce_mean(rises, axis=1))
        frames = onsets.shape[1]
        last = self._lags[-1][1]
        places = np.arange(last)[:, np.newaxis] + np.arange(frames)
        shifted = tf.gather(tf.pad(onsets, [[0, 0], [0, last]]), places, axis=1)
        correlation = tf.einsum("bkt,bt->bk", shifted, onsets)
        relative = correlation / (correlation[:, :1] + _TINY)
        highest = [tf.reduce_max(relative[:, start:end], axis=1) for start, end in self._lags]
        return tf.stack(highest, axis=1)


def _moments(levels: tf.Tensor) -> tf.Tensor:
    """Return mean, deviation and level of the mean power of each band, in dB.

    Means and levels are relative to the mean of the image.
    """
    mean = tf.reduce_mean(levels, axis=2)
    overall = tf.reduce_mean(mean, axis=1, keepdims=True)
    power = power_to_db(tf.reduce_mean(db_to_power(levels), axis=2))
    return tf.concat([mean - overall, _deviation(levels, axis=2), power - overall], axis=1)


def _of_cepstra(cepstra: tf.Tensor) -> tf.Tensor:
    """Return means, deviations of the differences, and covariances of cepstra."""
    centered = _centered(cepstra)
    covariance = tf.matmul(centered, centered, transpose_b=True) / (cepstra.shape[2] - 1)
    upper = np.ravel_multi_index(np.triu_indices(CEPSTRA), (CEPSTRA, CEPSTRA))
    products = tf.gather(_flat(covariance), upper, axis=1)
    mean = tf.reduce_mean(cepstra, axis=2)[:, 1:]
    differences = _deviation(cepstra[:, :, 1:] - cepstra[:, :, :-1], axis=2)
    compressed = tf.sign(products) * tf.math.log1p(tf.abs(products))
    return tf.concat([mean, differences, compressed], axis=1)


def _ripples(cepstra: tf.Tensor) -> tf.Tensor:
    """Return the logarithms of mean and deviation, over the blocks, of each modulation."""
    along_frequency, along_time = RIPPLES
    frames = cepstra.shape[2]
    channels = tf.reshape(cepstra[:, :along_frequency], [-1, frames, 1])
    kernel = _cosines(BLOCK_FRAMES, along_time)[:, np.newaxis]
    by_block = tf.abs(tf.nn.conv1d(channels, kernel, BLOCK_FRAMES // 2, "VALID"))
    statistics = tf.stack([tf.reduce_mean(by_block, axis=1), _deviation(by_block, axis=1)], axis=1)
    return tf.reshape(tf.math.log(statistics + _SMALL_DB), [-1, along_frequency * 2 * along_time])


def _centered(values: tf.Tensor) -> tf.Tensor:
    """Subtract the mean along the last axis."""
    return values - tf.reduce_mean(values, axis=-1, keepdims=True)


def _deviation(values: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.sqrt(tf.math.reduce_variance(values, axis) + _TINY)


def _flat(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [-1, math.prod(values.shape[1:])])


def _cosines(size: int, count: int) -> NDArray[np.float32]:
    """Return the first coefficients of the orthonormal DCT-II, `[size, count]`."""
    transform: NDArray[np.float32] = scipy.fft.dct(np.eye(size, dtype=np.float32), norm="ortho")
    return transform[:, :count]


def _modulation(frames: int) -> tuple[tuple[NDArray[np.float32], ...], list[tuple[int, int]]]:
    """Return cosines and sines `[frames, bins]` with a Hann window, and the octaves of the bins."""
    transform = np.fft.rfft(np.diag(np.hanning(frames))).astype(np.complex64)
    bins = transform.shape[1]
    octaves = _ranges([*2 ** np.arange(math.ceil(math.log2(bins))), bins])
    return (transform.real, transform.imag), octaves


def _ranges(edges: Any) -> list[tuple[int, int]]:
    """Return the ranges of indices between edges, without empty ones."""
    ends = [round(edge) for edge in edges]
    return [(start, end) for start, end in pairwise(ends) if start < end]


def _means(ranges: list[tuple[int, int]], size: int) -> NDArray[np.float32]:
    """Return a matrix `[size, ranges]` that computes the mean of each range of indices."""
    matrix = np.zeros((size, len(ranges)), np.float32)
    for column, (start, end) in enumerate(ranges):
        matrix[start:end, column] = 1 / (end - start)
    return matrix
