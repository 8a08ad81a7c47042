"""The STFT of a musaic, and its bands."""

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import StftSpec
from tfdream.signal.graphs import compiled
from tfdream.signal.stft import stft_to_power, waveform_to_stft
from tfdream.signal.timbre import MelAnalysis
from tfdream.synthesis.rendering.tiles import Tiles

_LOWEST_HZ = 30.0
BANDS_PER_OCTAVE = 36


class FrameAnalysis:
    """Frames of 43 to 64 ms, and bands: three per semitone, at least one bin wide.

    Args:
      sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        mel = MelAnalysis(sample_rate)
        self.sample_rate = sample_rate
        self.spec = StftSpec(n_fft=mel.spec.n_fft, hop_samples=mel.spec.n_fft // 4)
        self.mel = mel.bands

    def stft(self, waveforms: tf.Tensor) -> tf.Tensor:
        """Compute the STFT `[batch, frames, bins]` of waveforms `[batch, samples]`."""
        return waveform_to_stft(waveforms, self.spec)

    def power(self, stft: tf.Tensor) -> tf.Tensor:
        """Return the mean power of bands: `[…, frames, bins]` → `[…, frames, bands]`."""
        return tf.matmul(stft_to_power(stft), self._bands)

    def total_power(self, batches: Iterable[Tiles]) -> NDArray[np.float64]:
        """Sum the power of the bands over the frames of the tiles of a file: `[bands]`.

        The tiles have no overlap, apart from the frames that the last one skips.
        """
        total = np.zeros(self._bands.shape[1])
        for tiles in batches:
            _, power, _ = self.analyze(tf.constant(tiles.waveforms))
            firsts = -(-tiles.skips // self.spec.hop_samples)
            for frames, first in zip(power.numpy(), firsts, strict=True):
                total += frames[first:].sum(axis=0, dtype=np.float64)
        return total

    def spread(self, values: tf.Tensor) -> tf.Tensor:
        """Interpolate values of bands at bins: `[…, frames, bands]` → `[…, frames, bins]`."""
        return tf.matmul(values, self._interpolation)

    @cached_property
    def _interpolation(self) -> NDArray[np.float32]:
        """Weights of the bands at each bin `[bands, bins]`, with a sum of 1.

        Bins below the lowest band have its value.
        """
        shares = self._bands.T / self._bands.T.max(axis=1, keepdims=True)
        shares[0, shares.sum(axis=0) == 0] = 1
        normalized: NDArray[np.float32] = (shares / shares.sum(axis=0)).astype(np.float32)
        return normalized

    @cached_property
    def _bands(self) -> NDArray[np.float32]:
        """Triangular weights of the bins `[bins, bands]`, each band with a sum of 1."""
        bin_hz = self.sample_rate / self.spec.n_fft
        edges = [_LOWEST_HZ]
        while edges[-1] < self.sample_rate / 2:
            edges.append(max(edges[-1] * 2 ** (1 / BANDS_PER_OCTAVE), edges[-1] + bin_hz))
        bins_hz = bin_hz * np.arange(self.spec.bins)
        triangles = zip(edges, edges[1:], edges[2:], strict=False)
        weights = np.stack([np.interp(bins_hz, three, (0, 1, 0)) for three in triangles], axis=1)
        weights = weights[:, weights.sum(axis=0) > 0]
        normalized: NDArray[np.float32] = (weights / weights.sum(axis=0)).astype(np.float32)
        return normalized

    @cached_property
    def analyze(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
        """STFT, power of its bands and of its mel bands, for waveforms `[batch, samples]`."""

        def analyzed(waveforms: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            stft = self.stft(waveforms)
            return stft, self.power(stft), self.mel.from_bins(stft_to_power(stft))

        return compiled(analyzed, [tf.TensorSpec([None, None], tf.float32)])
