"""The dictionary of a musaic: frames of the style, and of copies of it in other pitches."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import StftSpec
from tfdream.config.musaic import MusaicConfig
from tfdream.errors import AudioError
from tfdream.signal.stft import stft_to_power, waveform_to_stft
from tfdream.synthesis.rendering.tiles import TileGrid

_FFT_SECONDS = 2048 / 44100
_SEGMENT_SECONDS = 1.0
_LOWEST_HZ = 30.0
_BANDS_PER_OCTAVE = 36
# Frames softer than this below the loudest one of the style are not used: they would be amplified.
_SOFTEST_DB = 40.0


class FrameAnalysis:
    """The STFT of a musaic, and its bands: three per semitone, at least one bin wide.

    Args:
      sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        n_fft = max(64, 2 ** round(np.log2(_FFT_SECONDS * sample_rate)))
        self.sample_rate = sample_rate
        self.spec = StftSpec(n_fft=n_fft, hop_samples=n_fft // 4)

    @cached_property
    def _bands(self) -> NDArray[np.float32]:
        """Triangular weights of the bins `[bins, bands]`, each band with a sum of 1."""
        bin_hz = self.sample_rate / self.spec.n_fft
        edges = [_LOWEST_HZ]
        while edges[-1] < self.sample_rate / 2:
            edges.append(max(edges[-1] * 2 ** (1 / _BANDS_PER_OCTAVE), edges[-1] + bin_hz))
        bins_hz = bin_hz * np.arange(self.spec.bins)
        triangles = zip(edges, edges[1:], edges[2:], strict=False)
        weights = np.stack([np.interp(bins_hz, three, (0, 1, 0)) for three in triangles], axis=1)
        weights = weights[:, weights.sum(axis=0) > 0]
        normalized: NDArray[np.float32] = (weights / weights.sum(axis=0)).astype(np.float32)
        return normalized

    def to_power(self, stft: tf.Tensor) -> tf.Tensor:
        """Return the mean power of bands: `[…, frames, bins]` → `[…, frames, bands]`."""
        return tf.matmul(stft_to_power(stft), self._bands)

    @cached_property
    def compiled_stft(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """`waveform_to_stft` for waveforms of any length, compiled once."""
        compiled: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            lambda waveforms: waveform_to_stft(waveforms, self.spec),
            input_signature=[tf.TensorSpec([None, None], tf.float32)],
        )
        return compiled


class Dictionary(NamedTuple):
    """Frames of a style in segments: the frames of a segment follow each other.

    Attributes:
      analysis: of the frames.
      stft: cells of each frame, complex64 `[segments, atoms, bins]`.
      magnitudes: of its bands, float32 `[segments, atoms, bands]`. Both are divided by the norm of
        the magnitudes; soft frames are zero.
      power: mean power of the bands over the frames in their own pitch, float64 `[bands]`.
    """

    analysis: FrameAnalysis
    stft: NDArray[np.complex64]
    magnitudes: NDArray[np.float32]
    power: NDArray[np.float64]

    @classmethod
    def from_file(cls, path: str | Path, sample_rate: int, config: MusaicConfig) -> "Dictionary":
        """Collect the frames of a file and of its shifted copies.

        The frames of a file that is too long are those of segments spread evenly over it.

        Args:
          path: any audio file.
          sample_rate: of the frames, in Hz.
          config: pitches of the copies, and largest number of frames.

        Raises:
          AudioError: if the file cannot be read or is silent.
        """
        analysis = FrameAnalysis(sample_rate)
        shifts = range(-config.semitones, config.semitones + 1)
        hop, atoms = analysis.spec.hop_samples, _atoms(analysis)
        limit = max(1, config.dictionary_frames // (atoms * len(shifts)))
        parts, power = [], np.zeros(0)
        for semitones in shifts:
            segments = np.stack(list(_segments(Path(path), analysis, semitones, limit)))
            stft = analysis.compiled_stft(tf.constant(segments)).numpy()
            first = analysis.spec.n_fft // 2 // hop  # of the frames without padding
            parts.append(stft[:, first : first + atoms])
            if not semitones:
                power = analysis.to_power(parts[-1]).numpy().mean(axis=(0, 1), dtype=np.float64)
        stft = np.concatenate(parts)
        magnitudes = np.sqrt(analysis.to_power(stft).numpy())
        norms = np.linalg.norm(magnitudes, axis=-1, keepdims=True)
        loudest = norms.max()
        if not loudest:
            raise AudioError(f"style '{path}' is silent; use another recording")
        audible = norms > loudest * 10 ** (-_SOFTEST_DB / 20)
        scale = np.where(audible, 1 / np.where(audible, norms, 1), 0).astype(np.float32)
        return cls(analysis, stft * scale, magnitudes * scale, power)


def _atoms(analysis: FrameAnalysis) -> int:
    """Return the number of frames in a segment."""
    return max(1, round(_SEGMENT_SECONDS * analysis.sample_rate / analysis.spec.hop_samples))


def _segments(
    path: Path, analysis: FrameAnalysis, semitones: int, limit: int
) -> Iterator[NDArray[Any]]:
    """Yield at most `limit` segments of a file, shifted in pitch, float32 `[samples]`.

    Read at a lower rate, and used at the analysis' one, a file is shorter and higher.
    """
    spec, rate = analysis.spec, round(analysis.sample_rate * 2 ** (-semitones / 12))
    overlap = spec.n_fft - spec.hop_samples
    grid = TileGrid(_atoms(analysis) * spec.hop_samples + overlap, overlap)
    info = audio.info(path)
    total = grid.count(round(audio.count_samples(path) * rate / info.sample_rate))
    chosen = set(np.linspace(0, total - 1, min(limit, total)).round().astype(int).tolist())
    with audio.Reader(path) as reader:
        for number, tiles in enumerate(grid.cut(reader.mid(rate))):
            if number in chosen:
                yield tiles.waveforms[0]
