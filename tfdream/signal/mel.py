"""Mel bands: conversion between bins of an STFT and bands that are spaced as in hearing."""

import warnings
from typing import Annotated

import numpy as np
import tensorflow as tf
from pydantic import Field, model_validator

from tfdream.config import Config, NotNegative, Positive, StftSpec
from tfdream.errors import ConfigError

# Multiplicative updates of `MelBands.to_bins`.
_ITERATIONS = 64
_TINY = 1e-12  # relative to the loudest band
_LEAST_POWER = 1e-30


class MelSpec(Config):
    """Parameters of mel bands."""

    stft: StftSpec = StftSpec()
    bands: Annotated[int, Field(ge=1, le=4096)] = 64
    min_hz: NotNegative = 0.0
    max_hz: Positive | None = None
    """Upper edge of the highest band; null is half the sample rate."""

    @model_validator(mode="after")
    def _limits_ascend(self) -> "MelSpec":
        if self.max_hz is not None and self.min_hz >= self.max_hz:
            raise ValueError(
                f"min_hz={self.min_hz:g} is not below max_hz={self.max_hz:g}; lower min_hz"
            )
        return self


class MelBands:
    """Triangular filters on the mel scale: power of bins ↔ power of bands.

    Args:
      config: parameters of the bands.
      sample_rate: in Hz.
      unit_gain: scale each filter so that white noise has about the same power in bands and bins;
        otherwise the filters have Slaney's normalization, an area of 1 over frequency in Hz.

    Raises:
      ConfigError: if a band has no bin, `max_hz` is above half the sample rate, or `min_hz` is not
        below it.

    Source: Slaney, "Auditory Toolbox", as implemented in librosa.

    >>> bands = MelBands(MelSpec(stft=StftSpec(n_fft=512, hop_samples=128), bands=20), 16000)
    >>> bands.count
    20
    >>> white = tf.ones([1, 1, 257])
    >>> bool(tf.reduce_all(tf.abs(bands.from_bins(white) - 1) < 1e-5))
    True
    """

    def __init__(self, config: MelSpec, sample_rate: int, unit_gain: bool = True) -> None:
        from librosa import fft_frequencies, mel_frequencies
        from librosa.filters import mel

        top_hz = config.max_hz or sample_rate / 2
        if top_hz > sample_rate / 2:
            raise ConfigError(
                f"max_hz={config.max_hz:g} is above {sample_rate / 2:g} Hz, half the sample rate; "
                "lower it or omit it"
            )
        if config.min_hz >= top_hz:
            raise ConfigError(
                f"min_hz={config.min_hz:g} is not below {top_hz:g} Hz, half the sample rate; lower "
                "it"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # empty bands are errors below
            matrix = mel(
                sr=sample_rate,
                n_fft=config.stft.n_fft,
                n_mels=config.bands,
                fmin=config.min_hz,
                fmax=top_hz,
            )
        empty = int((matrix.max(axis=1) == 0).sum())
        if empty:
            raise ConfigError(
                f"{empty} of bands={config.bands} contain no bin of "
                f"stft.n_fft={config.stft.n_fft}; use fewer bands or a longer n_fft"
            )
        if unit_gain:
            matrix = matrix / matrix.sum(axis=1, keepdims=True)
        self.matrix = tf.constant(matrix.T, tf.float32)
        centers_hz = mel_frequencies(config.bands + 2, fmin=config.min_hz, fmax=top_hz)[1:-1]
        bins_hz = fft_frequencies(sr=sample_rate, n_fft=config.stft.n_fft)
        interpolated = [np.interp(bins_hz, centers_hz, band) for band in np.eye(config.bands)]
        self._interpolation = tf.constant(np.stack(interpolated), tf.float32)

    @property
    def count(self) -> int:
        """Number of bands."""
        return int(self.matrix.shape[1])

    def from_bins(self, power: tf.Tensor) -> tf.Tensor:
        """Convert power `[batch, frames, bins]` to power `[batch, frames, bands]`."""
        return tf.matmul(power, self.matrix)

    def interpolate_to_bins(self, values: tf.Tensor) -> tf.Tensor:
        """Interpolate values of bands linearly to bins, between the centers of the bands.

        Args:
          values: float32 `[batch, frames, bands]`, such as gains in dB.

        Returns:
          float32 `[batch, frames, bins]`.
        """
        return tf.matmul(values, self._interpolation)

    def to_bins(self, power: tf.Tensor) -> tf.Tensor:
        """Return non-negative power of bins `[batch, frames, bins]` for given power of bands.

        The solution is not unique; the iteration starts from a smooth one. For music in 256 bands,
        the power of one band in 3000 differs by more than 10 dB from the given one.

        Source: Lee and Seung, "Algorithms for non-negative matrix factorization", equation 4.
        """
        transposed = tf.transpose(self.matrix)
        loudest = tf.maximum(tf.reduce_max(power, axis=[1, 2], keepdims=True), _LEAST_POWER)
        bins = tf.matmul(power / loudest, transposed)
        target = bins
        for _ in range(_ITERATIONS):
            current = tf.matmul(tf.matmul(bins, self.matrix), transposed)
            bins *= target / tf.maximum(current, _TINY)
        return bins * loudest
