"""A recording of any length as a page shows it: so many columns, each with all that is in it.

Read block by block. Where there is more than a page shows, a column holds the largest of what it
stands for: a click of one sample is seen among an hour.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal

from tfdream import audio
from tfdream.config import StftSpec

# No more than a sheet has dots for: what is finer would be left out at random in drawing.
_COLUMNS = 1100
_ROWS = 220
_LOWEST_HZ = 40.0
# Of a batch of frames, so that a short hop takes no more memory than a long one.
_BATCH_SAMPLES = 1 << 21


class FrequencyScale(NamedTuple):
    """How the axis of frequencies runs."""

    max_hz: float | None = None
    """Half the sample rate without."""
    linear: bool = False
    """From 0 Hz in even steps, instead of from 40 Hz by octaves."""

    def edges_hz(self, sample_rate: int) -> np.ndarray:
        """Of the rows that a page shows, ascending: float64 `[rows + 1]`."""
        top_hz = min(self.max_hz or sample_rate / 2, sample_rate / 2)
        if self.linear:
            return np.linspace(0, top_hz, _ROWS + 1)
        return np.geomspace(min(_LOWEST_HZ, top_hz / 2), top_hz, _ROWS + 1)


class Overview(NamedTuple):
    """What a page shows of a recording's mid signal."""

    seconds: float
    sample_edges: np.ndarray
    """Where the columns of `lowest` and `highest` begin and end, in seconds: `[columns + 1]`."""
    lowest: np.ndarray
    highest: np.ndarray
    """The smallest and the largest sample of each column: `[columns]`."""
    frame_edges: np.ndarray
    """Where the columns of `power` begin and end, in seconds: `[columns + 1]`."""
    edges_hz: np.ndarray
    """Where its rows begin and end: `[rows + 1]`."""
    power: np.ndarray
    """float32 `[rows, columns]`; that of a sine of full scale is 1."""


def read_overview(path: Path, spec: StftSpec, scale: FrequencyScale) -> Overview:
    """Look through a whole file.

    Args:
      path: any audio file.
      spec: of the spectrogram; frames are centered, with silence around the recording.
      scale: of its frequencies.

    Raises:
      AudioError: if the file cannot be read.
    """
    extremes, powers = Columns(2), Columns(_ROWS)
    with audio.Reader(path) as reader:
        rate = reader.info.sample_rate
        edges_hz = scale.edges_hz(rate)
        first_bins = np.rint(edges_hz * spec.n_fft / rate).astype(int)

        def heard() -> Iterator[np.ndarray]:
            for block in audio.mid(reader.blocks()):
                extremes.add(np.concatenate([-block, block], axis=1))
                yield block[:, 0]

        for power in _frame_powers(heard(), spec):
            # A row of no bin of its own shows the one that it lies in.
            known = power[:, : first_bins[-1] + 1]
            powers.add(np.maximum.reduceat(known, first_bins[:-1], axis=1))
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
    """The largest values of a long stream of rows, in a bounded number of columns.

    Args:
      rows: values of each item of the stream.
      limit: the most columns that there will be.
    """

    def __init__(self, rows: int, limit: int = _COLUMNS) -> None:
        self.limit = limit
        self.count = 0
        self.width = 1
        """Items that a column stands for."""
        self._largest = np.full((2 * limit, rows), -np.inf, np.float32)

    def add(self, items: np.ndarray) -> None:
        """Append float `[items, rows]`."""
        while self.count + len(items) > len(self._largest) * self.width:
            self._halve()
        begun = self.count % self.width
        starts = np.arange(-begun, len(items), self.width).clip(0)
        first = self.count // self.width
        columns = self._largest[first : first + len(starts)]
        np.maximum(columns, np.maximum.reduceat(items, starts), out=columns)
        self.count += len(items)

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """The columns `[columns, rows]`, and the items that they begin and end at."""
        held = -(-self.count // self.width)
        ends = np.arange(held + 1)
        if held > self.limit:
            ends = np.linspace(0, held, self.limit + 1).astype(int)
        largest = np.maximum.reduceat(self._largest[:held], ends[:-1])
        return largest, np.minimum(ends * self.width, self.count)

    def _halve(self) -> None:
        self._largest[: self.limit] = np.maximum(self._largest[::2], self._largest[1::2])
        self._largest[self.limit :] = -np.inf
        self.width *= 2


def _frame_powers(blocks: Iterable[np.ndarray], spec: StftSpec) -> Iterator[np.ndarray]:
    """Blocks of samples `[samples]` → power of frames `[frames, bins]`, some at a time."""
    window = scipy.signal.get_window("hann", spec.n_fft).astype(np.float32) / (spec.n_fft / 4)
    silence = np.zeros(spec.n_fft // 2, np.float32)
    batch = max(1, _BATCH_SAMPLES // spec.n_fft)
    waiting = silence
    for block in chain(blocks, [silence]):
        waiting = np.concatenate([waiting, block])
        if len(waiting) < spec.n_fft:
            continue
        frames = np.lib.stride_tricks.sliding_window_view(waiting, spec.n_fft)
        frames = frames[:: spec.hop_samples]
        for start in range(0, len(frames), batch):
            spectrum = scipy.fft.rfft(frames[start : start + batch] * window)
            yield spectrum.real**2 + spectrum.imag**2
        waiting = waiting[len(frames) * spec.hop_samples :]
