"""Recordings of any length, rate and number of channels, changed by what knows only clips.

A file is mixed to its mid signal at the model's rate and cut into overlapping tiles. What changed
in each tile (the difference, not the tile) is cross-faded with its neighbours, resampled to the
file's own rate and added to all channels of the original. So the stereo image, the rate, the length
and all that lies above the model's band stay as they are. Everything is a stream of blocks: memory
does not grow with the file's length.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfdream import audio
from tfdream.config import TilesConfig
from tfdream.errors import ConfigError

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Tiles float32 `[batch, samples]` and their weights `[batch]` → changed tiles, the same shape."""


@dataclass(frozen=True)
class TileGrid:
    """Where tiles lie: every `hop` samples, neighbours sharing `overlap` samples."""

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

    def cut(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Cut a stream of blocks `[samples, 1]` into batches of tiles.

        Yields:
          Tiles float32 `[batch, samples]`, the last one filled up with zeros, and the share of each
          that is signal, float `[batch]`.
        """
        tiles: list[np.ndarray] = []
        held = np.zeros(0, np.float32)
        for block in blocks:
            held = np.concatenate([held, block[:, 0]])
            while len(held) > self.samples:
                tiles.append(held[: self.samples])
                held = held[self.hop :]
                if len(tiles) == self.batch:
                    yield np.stack(tiles), np.ones(len(tiles))
                    tiles = []
        weights = np.ones(len(tiles) + 1)
        weights[-1] = len(held) / self.samples
        tiles.append(np.pad(held, (0, self.samples - len(held))))
        yield np.stack(tiles), weights


def mid_tiles(
    reader: audio.Reader, sample_rate: int, grid: TileGrid
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The tiles of a file's mid signal at another sample rate, as `TileGrid.cut` gives them."""
    mono = audio.resample(audio.mid(reader.blocks()), reader.info.sample_rate, sample_rate)
    return grid.cut(mono)


def change_file(
    source: Path,
    output: Path,
    sample_rate: int,
    grid: TileGrid,
    change: Change,
    bits: int | None = None,
) -> audio.Written:
    """Change a file through its tiles.

    Args:
      source: any audio file.
      output: to be written; its extension chooses the format.
      sample_rate: of the tiles, in Hz.
      grid: of the tiles.
      change: from a batch of tiles to what shall become of them.
      bits: of the output, see `audio.Writer`.

    Returns:
      What was written.
    """
    with audio.Reader(source) as original, audio.Reader(source) as again:
        info = original.info
        changes = _overlap_add(mid_tiles(again, sample_rate, grid), grid, change)
        at_own_rate = audio.resample(changes, sample_rate, info.sample_rate)
        merged = _merge(original.blocks(), at_own_rate)
        with audio.Writer(output, info.sample_rate, info.channels, bits) as writer:
            for block in audio.limit(merged, info.sample_rate):
                writer.write(block)
        return writer.written


def _overlap_add(
    tiles: Iterable[tuple[np.ndarray, np.ndarray]], grid: TileGrid, change: Change
) -> Iterator[np.ndarray]:
    """Yield what changed, cross-faded, as blocks `[samples, 1]`."""
    # Rising and falling halves of a raised cosine add to one.
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(grid.overlap) + 0.5) / max(grid.overlap, 1)))[
        :, None
    ].astype(np.float32)
    tail: np.ndarray | None = None
    for batch, weights in tiles:
        differences = change(batch, weights) - batch
        for difference in differences[..., np.newaxis]:
            if tail is not None:
                difference[: grid.overlap] *= ramp
                difference[: grid.overlap] += tail
            yield difference[: grid.hop]
            faded, tail = difference[grid.hop :], difference[grid.hop :] * ramp[::-1]
    if tail is not None:
        yield faded


def _merge(blocks: Iterable[np.ndarray], changes: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Add a stream `[samples, 1]` to every channel of another, which sets the length."""
    held = np.zeros((0, 1), np.float32)
    for block in blocks:
        while len(held) < len(block):
            more = next(changes, None)
            if more is None:  # resampling there and back may lose a last sample
                more = np.zeros((len(block) - len(held), 1), np.float32)
            held = np.concatenate([held, more])
        yield block + held[: len(block)]
        held = held[len(block) :]
