"""Recordings of any length, rate and number of channels, changed by what knows only clips.

A file is resampled to the model's rate and cut into overlapping tiles, whose mid signal the model
hears. What changed in each tile (the difference, not the tile) is cross-faded with its neighbors,
resampled to the file's own rate and added to the original. So the stereo image, the rate, the
length and all that lies above the model's band stay as they are. Everything is a stream of blocks:
memory does not grow with the file's length.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream import audio
from tfdream.config import TilesConfig
from tfdream.errors import ConfigError


class Tiles(NamedTuple):
    """Pieces of a recording."""

    channels: np.ndarray
    """float32 `[batch, samples, channels]`; that of a shorter recording is filled up with zeros."""
    weights: np.ndarray
    """float `[batch]`: the share of each that is signal, and not only there for the rest."""
    starts: np.ndarray
    """int `[batch]`: where each begins, in samples."""
    skips: np.ndarray
    """int `[batch]`: how many of the first samples of each only lead up to what follows them."""

    @property
    def waveforms(self) -> np.ndarray:
        """The mid signal, float32 `[batch, samples]`."""
        return self.channels.mean(axis=2)


Change = Callable[[Tiles], np.ndarray]
"""Tiles → what shall become of their channels, the same shape."""


@dataclass(frozen=True)
class TileGrid:
    """Where tiles lie: every `hop` samples, neighbors sharing `overlap` samples.

    The last one ends where the recording ends, however much it shares: it is as full as the others.
    """

    samples: int
    overlap: int
    batch: int = 1

    @property
    def hop(self) -> int:
        """Samples from the start of a tile to that of the next."""
        return self.samples - self.overlap

    @classmethod
    def build(cls, config: TilesConfig, clip_samples: int, sample_rate: int) -> "TileGrid":
        """The grid that a configuration describes.

        Raises:
          ConfigError: if more than half of a tile overlaps.
        """
        samples = clip_samples
        if config.seconds is not None:
            samples = round(config.seconds * sample_rate)
        overlap = round(config.overlap_seconds * sample_rate)
        if overlap > samples // 2:
            raise ConfigError(
                f"tiles.overlap_seconds={config.overlap_seconds:g} is more than half of a tile of "
                f"{samples / sample_rate:g} s; use a shorter one"
            )
        return cls(samples, overlap, config.batch)

    def count(self, samples: int) -> int:
        """Tiles that cover a signal of `samples` samples."""
        return 1 + max(0, -(-(samples - self.samples) // self.hop))

    def cut(self, blocks: Iterable[np.ndarray], channels: int = 1) -> Iterator[Tiles]:
        """Cut a stream of blocks `[samples, channels]` into batches of tiles."""
        tiles: list[np.ndarray] = []
        before = np.zeros((0, channels), np.float32)
        held = before
        done = 0
        for block in blocks:
            held = np.concatenate([held, block])
            while len(held) > self.samples:
                before = held[: self.samples]
                tiles.append(before)
                held = held[self.hop :]
                if len(tiles) == self.batch:
                    yield self._stack(tiles, done)
                    done += len(tiles)
                    tiles = []
        missing = self.samples - len(held)
        if len(before):
            tiles.append(np.concatenate([before[self.hop - missing : self.hop], held]))
        else:
            tiles.append(np.pad(held, ((0, missing), (0, 0))))
        last = self._stack(tiles, done)
        last.weights[-1] = len(held) / self.samples
        if len(before):
            last.starts[-1] -= missing
            last.skips[-1] = missing
        yield last

    def _stack(self, tiles: list[np.ndarray], before: int) -> Tiles:
        numbers = np.arange(before, before + len(tiles))
        return Tiles(
            np.stack(tiles), np.ones(len(tiles)), numbers * self.hop, np.zeros_like(numbers)
        )


def mid_tiles(reader: audio.Reader, sample_rate: int, grid: TileGrid) -> Iterator[Tiles]:
    """The tiles of a file's mid signal at another sample rate, as `TileGrid.cut` gives them."""
    return grid.cut(reader.mid(sample_rate))


def tile_pairs(
    source: Path, changed: Path, sample_rate: int, grid: TileGrid
) -> Iterator[tuple[Tiles, Tiles]]:
    """The tiles of two files' mid signals, beside each other."""
    with audio.Reader(source) as before, audio.Reader(changed) as after:
        yield from zip(
            mid_tiles(before, sample_rate, grid),
            mid_tiles(after, sample_rate, grid),
            strict=False,  # a file that is longer by a sample than its header may have one more
        )


def batches_in(source: Path, sample_rate: int, grid: TileGrid) -> int:
    """How many batches of tiles a file will be cut into, as far as its header can tell."""
    info = audio.info(source)
    tiles = grid.count(math.ceil(info.samples * sample_rate / info.sample_rate))
    return -(-tiles // grid.batch)


def channel_tiles(reader: audio.Reader, sample_rate: int, grid: TileGrid) -> Iterator[Tiles]:
    """The same of all its channels."""
    return grid.cut(reader.resampled(sample_rate), reader.info.channels)


def change_file(
    source: Path,
    output: Path,
    sample_rate: int,
    grid: TileGrid,
    change: Change,
    bits: int | None = None,
    gain: audio.Gain | None = None,
) -> audio.Written:
    """Change a file through its tiles.

    Args:
      source: any audio file.
      output: to be written; its extension chooses the format.
      sample_rate: of the tiles, in Hz.
      grid: of the tiles.
      change: from a batch of tiles to what shall become of them.
      bits, gain: of the output, see `audio.write_blocks`.

    Returns:
      What was written.
    """
    with audio.Reader(source) as original, audio.Reader(source) as again:
        info = original.info
        changes = _overlap_add(channel_tiles(again, sample_rate, grid), grid, change)
        at_own_rate = audio.resample(changes, sample_rate, info.sample_rate)
        merged = _merge(original.blocks(), at_own_rate)
        return audio.write_blocks(output, merged, info.sample_rate, info.channels, bits, gain)


def _overlap_add(tiles: Iterable[Tiles], grid: TileGrid, change: Change) -> Iterator[np.ndarray]:
    """Yield what changed, cross-faded, as blocks `[samples, channels]`."""
    # Rising and falling halves of a raised cosine add to one.
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(grid.overlap) + 0.5) / max(grid.overlap, 1)))[
        :, None
    ].astype(np.float32)
    tail: np.ndarray | None = None
    for batch in tiles:
        differences = change(batch) - batch.channels
        for whole, skip in zip(differences, batch.skips, strict=True):
            difference = np.pad(whole[skip:], ((0, skip), (0, 0)))
            if tail is not None:
                difference[: grid.overlap] *= ramp
                difference[: grid.overlap] += tail
            yield difference[: grid.hop]
            faded, tail = difference[grid.hop :], difference[grid.hop :] * ramp[::-1]
    if tail is not None:
        yield faded


def _merge(blocks: Iterable[np.ndarray], changes: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Add a stream to another one of the same channels, which sets the length."""
    held: np.ndarray | None = None
    for block in blocks:
        held = block[:0] if held is None else held
        while len(held) < len(block):
            more = next(changes, None)
            if more is None:  # resampling there and back may lose a last sample
                more = np.zeros((len(block) - len(held), block.shape[1]), np.float32)
            held = np.concatenate([held, more])
        yield block + held[: len(block)]
        held = held[len(block) :]
