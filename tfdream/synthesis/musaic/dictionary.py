"""The dictionary of a musaic: frames of the style, and of copies of it in other pitches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config.musaic import CompositionConfig
from tfdream.errors import AudioError
from tfdream.synthesis.musaic.analysis import FrameAnalysis
from tfdream.synthesis.rendering.tiles import TileGrid

_SEGMENT_SECONDS = 1.0
# Frames softer than this below the loudest one of the style are not used: they would be amplified.
_SOFTEST_DB = 40.0


class Dictionary(NamedTuple):
    """Frames of a style in segments: the frames of a segment follow each other.

    Attributes:
      analysis: of the frames.
      stft: cells of each frame, complex64 `[segments, atoms, bins]`.
      magnitudes: of its bands, float32 `[segments, atoms, bands]`. Both are divided by the norm of
        the magnitudes; soft frames are zero.
      power: mean power of the bands over the frames in their own pitch, float32 `[bands]`.
      mel_power: the same of the mel bands.
    """

    analysis: FrameAnalysis
    stft: tf.Tensor
    magnitudes: tf.Tensor
    power: NDArray[np.float32]
    mel_power: NDArray[np.float32]

    @classmethod
    def from_file(
        cls, path: str | Path, sample_rate: int, config: CompositionConfig
    ) -> "Dictionary":
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
        frames_per_shift = config.dictionary_frames // len(shifts)
        atoms = round(_SEGMENT_SECONDS * sample_rate / analysis.spec.hop_samples)
        atoms = min(max(1, atoms), frames_per_shift)
        limit = frames_per_shift // atoms
        first = analysis.spec.n_fft // 2 // analysis.spec.hop_samples  # frame without padding
        cells, magnitudes = [], []
        for semitones in shifts:
            segments = np.stack(list(_segments(Path(path), analysis, semitones, limit, atoms)))
            stft, power, mel_power = (
                each.numpy()[:, first : first + atoms]
                for each in analysis.analyze(tf.constant(segments))
            )
            cells.append(stft)
            magnitudes.append(np.sqrt(power))
            if not semitones:
                own_power, own_mel_power = (each.mean(axis=(0, 1)) for each in (power, mel_power))
        norms = np.linalg.norm(np.concatenate(magnitudes), axis=-1, keepdims=True)
        loudest = norms.max()
        if not loudest:
            raise AudioError(f"style '{path}' is silent; use another recording")
        audible = norms > loudest * 10 ** (-_SOFTEST_DB / 20)
        scale = np.where(audible, 1 / np.where(audible, norms, 1), 0).astype(np.float32)
        stft, frames = (tf.constant(np.concatenate(each) * scale) for each in (cells, magnitudes))
        return cls(analysis, stft, frames, own_power, own_mel_power)


def _segments(
    path: Path, analysis: FrameAnalysis, semitones: int, limit: int, atoms: int
) -> Iterator[NDArray[Any]]:
    """Yield at most `limit` segments of a file, shifted in pitch, float32 `[samples]`.

    A file that is resampled to a lower rate and played at the original one is shorter and higher in
    pitch.
    """
    spec, rate = analysis.spec, round(analysis.sample_rate * 2 ** (-semitones / 12))
    overlap = spec.n_fft - spec.hop_samples
    grid = TileGrid(atoms * spec.hop_samples + overlap, overlap)
    info = audio.info(path)
    total = grid.count(round(audio.count_samples(path) * rate / info.sample_rate))
    chosen = set(np.linspace(0, total - 1, min(limit, total)).round().astype(int).tolist())
    with audio.Reader(path) as reader:
        for number, tiles in enumerate(grid.cut(reader.mid(rate))):
            if number in chosen:
                yield tiles.waveforms[0]
