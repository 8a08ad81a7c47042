"""Streams of a pair of files, and measures of their samples."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream import audio
from tfdream.audio.notes import SILENCE, count_clipped
from tfdream.audio.streams import mean_of_channels
from tfdream.evaluation.measures.levels import FloatArray, energy, ratio_db

# Resamplers and codecs may be off by some samples.
_LENGTH_TOLERANCE_SECONDS = 0.01


class FileStats(NamedTuple):
    """Format, length and peak of a file, counted from its samples because headers may be wrong."""

    sample_rate: int
    channels: int
    samples: int
    peak: float
    mid_peak: float
    clipped_samples: int

    @classmethod
    def read(cls, path: Path) -> "FileStats":
        """Read a whole file."""
        samples, peak, mid_peak, clipped = 0, 0.0, 0.0, 0
        with audio.Reader(path) as reader:
            for block in reader.blocks():
                samples += len(block)
                peak = max(peak, float(np.abs(block).max()))
                mid_peak = max(mid_peak, float(np.abs(mean_of_channels(block)).max()))
                clipped += count_clipped(block)
            info = reader.info
            return cls(info.sample_rate, info.channels, samples, peak, mid_peak, clipped)

    @property
    def seconds(self) -> float:
        """Length of the file."""
        return self.samples / self.sample_rate

    @property
    def is_silent(self) -> bool:
        """Whether no channel reaches −80 dB of full scale."""
        return self.peak < SILENCE

    @property
    def cancels(self) -> bool:
        """Whether the mid signal alone is silent: the channels cancel each other."""
        return self.mid_peak < SILENCE <= self.peak

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sample rate, channels and samples."""
        return self[:3]


@dataclass(frozen=True)
class FilePair:
    """An original and a result.

    Attributes:
      original, result: audio files.
      mid: compare the mid signals, because the numbers of channels differ.
    """

    original: Path
    result: Path
    mid: bool

    def blocks(self, sample_rate: int, mid: bool = False) -> Iterator[FloatArray]:
        """Yield the common part of both files at one rate, float32 `[samples, 2, channels]`."""
        with audio.Reader(self.original) as before, audio.Reader(self.result) as after:
            streams = [
                audio.rechunk(_stream(reader, sample_rate, mid or self.mid), audio.BLOCK_SAMPLES)
                for reader in (before, after)
            ]
            for pair in zip(*streams, strict=False):
                length = min(map(len, pair))
                yield np.stack([block[:length] for block in pair], axis=1)

    def original_blocks(self, sample_rate: int) -> Iterator[FloatArray]:
        """Yield the whole original, float32 `[samples, channels]`."""
        with audio.Reader(self.original) as reader:
            yield from _stream(reader, sample_rate, self.mid)


class Difference:
    """Energy of the difference of a stream `[samples, 2, channels]`, accumulated as it passes."""

    def __init__(self) -> None:
        self.error = self.energy = 0.0

    def accumulate(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Add blocks to the difference and yield them unchanged."""
        for block in blocks:
            self.error += energy(block[:, 1] - block[:, 0])
            self.energy += energy(block[:, 0])
            yield block

    def db(self) -> float | None:
        """Return the energy of the difference relative to the original's, in dB."""
        return ratio_db(self.error, self.energy)


def notes(before: FileStats, after: FileStats) -> Iterator[str]:
    """Describe how files of different format or length were compared."""
    if before.sample_rate != after.sample_rate:
        yield f"resampled from {after.sample_rate} to {before.sample_rate} Hz for the spectra"
    for name, stats in (("original", before), ("result", after)):
        if stats.cancels:
            yield f"the channels of the {name} cancel each other: its mid signal is silent"
    if before.channels != after.channels:
        yield f"compared in the mid signal: channels are {before.channels} and {after.channels}"
    if abs(before.seconds - after.seconds) > _LENGTH_TOLERANCE_SECONDS:
        yield (
            f"compared over the first {min(before.seconds, after.seconds):.2f} s: lengths are "
            f"{before.seconds:.2f} and {after.seconds:.2f} s"
        )
    if before.shape != after.shape:
        yield "no difference_db: it needs the same rate, channels and number of samples"


def _stream(reader: audio.Reader, sample_rate: int, mid: bool) -> Iterator[FloatArray]:
    return reader.mid(sample_rate) if mid else reader.resampled(sample_rate)
