"""Waveform and spectrogram of an audio file of any length, reduced to the resolution of a figure.

The file is read in blocks. A column of the result holds the maximum of the samples or frames that
it stands for, so that a click of one sample remains visible in a file of an hour.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream import audio
from tfdream.config import StftSpec
from tfdream.figures.parts.sheet import FloatArray
from tfdream.signal.power import power_spectra

# About the pixels of a figure: finer columns would be left out at random in drawing.
_COLUMNS = 1100
_ROWS = 220
_LOWEST_HZ = 40.0


class FrequencyScale(NamedTuple):
    """The frequency axis of a spectrogram.

    Attributes:
      max_hz: upper end; by default half the sample rate.
      linear: linear from 0 Hz, instead of logarithmic from 40 Hz.
    """

    max_hz: float | None = None
    linear: bool = False

    def edges_hz(self, sample_rate: int) -> FloatArray:
        """Return the edges of the spectrogram's rows, ascending: float64 `[rows + 1]`.

        >>> FrequencyScale(linear=True).edges_hz(8000)[[0, -1]].tolist()
        [0.0, 4000.0]
        """
        top_hz = min(self.max_hz or sample_rate / 2, sample_rate / 2)
        if self.linear:
            return np.linspace(0, top_hz, _ROWS + 1)
        return np.geomspace(min(_LOWEST_HZ, top_hz / 2), top_hz, _ROWS + 1)


class Overview(NamedTuple):
    """Waveform and spectrogram of a file's mid signal, at the resolution of a figure.

    Attributes:
      seconds: length of the file.
      sample_edges: edges of the columns of `lowest` and `highest` in seconds, `[columns + 1]`.
      lowest, highest: the smallest and the largest sample of each column, `[columns]`.
      frame_edges: edges of the columns of `power` in seconds, `[columns + 1]`.
      edges_hz: edges of the rows of `power`, `[rows + 1]`.
      power: float32 `[rows, columns]`; a sine of full scale has power 1.
    """

    seconds: float
    sample_edges: FloatArray
    lowest: FloatArray
    highest: FloatArray
    frame_edges: FloatArray
    edges_hz: FloatArray
    power: FloatArray


def read_overview(path: str | Path, spec: StftSpec, scale: FrequencyScale) -> Overview:
    """Compute the overview of a whole file.

    Args:
      path: any audio file.
      spec: STFT of the spectrogram; frames are centered, with silence before and after the file.
      scale: frequency axis.

    Raises:
      AudioError: if the file cannot be read.
    """
    extremes, powers = Columns(2), Columns(_ROWS)
    with audio.Reader(Path(path)) as reader:
        rate = reader.info.sample_rate
        edges_hz = scale.edges_hz(rate)
        first_bins = np.rint(edges_hz * spec.n_fft / rate).astype(int)

        def mid_blocks() -> Iterator[FloatArray]:
            for block in audio.mid(reader.blocks()):
                extremes.add(np.concatenate([-block, block], axis=1))
                yield block[:, 0]

        for power in power_spectra(mid_blocks(), spec.n_fft, spec.hop_samples):
            # A row narrower than a bin shows the bin that it lies in.
            shown = power[:, : first_bins[-1] + 1]
            powers.add(np.maximum.reduceat(shown, first_bins[:-1], axis=1))
    seconds = extremes.count / rate
    samples, sample_edges = extremes.joined()
    power, frame_edges = powers.joined()
    frame_seconds = (frame_edges - 0.5) * spec.hop_samples / rate
    frame_seconds[-1] = seconds
    return Overview(
        seconds,
        sample_edges / rate,
        -samples[:, 0],
        samples[:, 1],
        np.clip(frame_seconds, 0, seconds),
        edges_hz,
        power.T,
    )


class Columns:
    """Maxima of a stream of vectors over time, in a bounded number of columns.

    Args:
      rows: length of the vectors.
      limit: maximum number of columns.

    Attributes:
      count: number of vectors so far.
      width: number of vectors that a column stands for.
    """

    def __init__(self, rows: int, limit: int = _COLUMNS) -> None:
        self.limit = limit
        self.count = 0
        self.width = 1
        self._largest = np.full((2 * limit, rows), -np.inf, np.float32)

    def add(self, vectors: FloatArray) -> None:
        """Append vectors, float `[vectors, rows]`."""
        while self.count + len(vectors) > len(self._largest) * self.width:
            self._halve()
        begun = self.count % self.width
        starts = np.arange(-begun, len(vectors), self.width).clip(0)
        first = self.count // self.width
        columns = self._largest[first : first + len(starts)]
        np.maximum(columns, np.maximum.reduceat(vectors, starts), out=columns)
        self.count += len(vectors)

    def joined(self) -> tuple[FloatArray, FloatArray]:
        """Return the columns `[columns, rows]`, and the numbers of the vectors at their edges."""
        filled = -(-self.count // self.width)
        ends = np.arange(filled + 1)
        if filled > self.limit:
            ends = np.linspace(0, filled, self.limit + 1).astype(int)
        largest = np.maximum.reduceat(self._largest[:filled], ends[:-1])
        return largest, np.minimum(ends * self.width, self.count)

    def _halve(self) -> None:
        self._largest[: self.limit] = np.maximum(self._largest[::2], self._largest[1::2])
        self._largest[self.limit :] = -np.inf
        self.width *= 2
