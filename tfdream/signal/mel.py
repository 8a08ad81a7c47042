"""Bands: bins of an STFT gathered as hearing does, and spread out again."""

import warnings
from typing import Annotated

import numpy as np
import tensorflow as tf
from pydantic import Field

from tfdream.config import Config, NotNegative, Positive, StftSpec
from tfdream.errors import ConfigError

_ITERATIONS = 64
_TINY = 1e-12


class MelSpec(Config):
    """Mel bands that the bins of an STFT are gathered in."""

    stft: StftSpec = StftSpec()
    bands: Annotated[int, Field(ge=1, le=4096)] = 64
    min_hz: NotNegative = 0.0
    max_hz: Positive | None = None
    """Upper edge of the highest band; null is half the sample rate."""


class MelBands:
    """Triangles on the mel scale, of about the same area: power of bins ↔ power of bands.

    Source: Slaney, "Auditory Toolbox", as librosa has it.
    """

    def __init__(self, config: MelSpec, sample_rate: int) -> None:
        from librosa import fft_frequencies, mel_frequencies
        from librosa.filters import mel

        top_hz = config.max_hz or sample_rate / 2
        if top_hz > sample_rate / 2:
            raise ConfigError(
                f"max_hz={config.max_hz:g} is above {sample_rate / 2:g} Hz, half the sample rate; "
                "leave it out or lower it"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of empty bands, which are refused below
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
                f"{empty} of bands={config.bands} hold no bin of stft.n_fft={config.stft.n_fft}; "
                "use fewer bands or a longer n_fft"
            )
        # Scaled so that a band of noise is about as loud as one of its bins.
        self.matrix = tf.constant((matrix / matrix.sum(axis=1, keepdims=True)).T, tf.float32)
        centres_hz = mel_frequencies(config.bands + 2, fmin=config.min_hz, fmax=top_hz)[1:-1]
        bins_hz = fft_frequencies(sr=sample_rate, n_fft=config.stft.n_fft)
        between = [np.interp(bins_hz, centres_hz, band) for band in np.eye(config.bands)]
        self._between = tf.constant(np.stack(between), tf.float32)

    @property
    def count(self) -> int:
        """Number of bands."""
        return int(self.matrix.shape[1])

    def from_bins(self, power: tf.Tensor) -> tf.Tensor:
        """float32 `[batch, frames, bins]` → `[batch, frames, bands]`."""
        return tf.matmul(power, self.matrix)

    def spread(self, values: tf.Tensor) -> tf.Tensor:
        """Values of bands to values of bins, along straight lines from center to center.

        float32 `[batch, frames, bands]` → `[batch, frames, bins]`.
        """
        return tf.matmul(values, self._between)

    def to_bins(self, power: tf.Tensor) -> tf.Tensor:
        """A power of bins, nowhere negative, whose bands are nearest: `[batch, frames, bins]`.

        There are many; this one is as smooth as the bands allow.

        Source: Lee and Seung, "Algorithms for non-negative matrix factorization", equation 4.
        """
        spread = tf.transpose(self.matrix)
        bins = tf.matmul(power, spread)
        wanted = bins
        for _ in range(_ITERATIONS):
            found = tf.matmul(tf.matmul(bins, self.matrix), spread)
            bins *= wanted / tf.maximum(found, _TINY)
        return bins
