"""Tiles: processing of audio files of any length, rate and channels by a model of fixed length.

A file is resampled to the model's rate and cut into overlapping tiles; the model's input is their
mid signal. The difference of each tile is cross-faded with its neighbors, resampled to the file's
rate and added to the original. So stereo image, rate, length, and everything above the model's
band are preserved. Everything is a stream of blocks: memory does not grow with the file's length.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import FilterConfig, TilesConfig
from tfdream.errors import ConfigError
from tfdream.synthesis.rendering.mixdown import NO_MIXDOWN, Mixdown


class Tiles(NamedTuple):
    """A batch of tiles of a file."""

    channels: NDArray[Any]
    """float32 `[batch, samples, channels]`; padded if a file is shorter, see `TileGrid`."""
    weights: NDArray[Any]
    """float `[batch]`: share of each tile that is new signal, neither padding nor skipped."""
    starts: NDArray[Any]
    """int `[batch]`: start of each tile, in samples."""
    skips: NDArray[Any]
    """int `[batch]`: number of first samples that belong to earlier tiles and are not used."""

    @property
    def waveforms(self) -> NDArray[Any]:
        """Mid signal of the tiles, float32 `[batch, samples]`."""
        mid: NDArray[Any] = self.channels.mean(axis=2)
        return mid


TileFn = Callable[[Tiles], NDArray[Any]]
"""Tiles → their changed channels, of the same shape."""


@dataclass(frozen=True)
class Finish:
    """The last steps before an output is written.

    Attributes:
      bits: bits per sample, see `audio.write_blocks`.
      gain: level, see `audio.write_blocks`.
      filters: filters, before the level.
      mixdown: makes the output from the changed component; its rest is added before the filters.
      tag: comment in the tags of the file.
    """

    bits: int | None = None
    gain: audio.Gain | None = None
    filters: FilterConfig = field(default_factory=FilterConfig)
    mixdown: Mixdown = NO_MIXDOWN
    tag: str | None = None

    def write(
        self, output: str | Path, blocks: Iterable[NDArray[Any]], sample_rate: int, channels: int
    ) -> audio.Written:
        """Filter and write a stream of blocks; see `audio.write_blocks`."""
        channels = self.mixdown.channels(channels)
        finished = self._finish(self.mixdown.mix(iter(blocks)), sample_rate, channels)
        limits = self.mixdown.loop_samples is None
        return audio.write_blocks(
            output, finished, sample_rate, channels, self.bits, self.gain, self.tag, limits
        )

    def extract(
        self, blocks: Iterator[NDArray[Any]], sample_rate: int, factor: float
    ) -> Iterator[NDArray[Any]]:
        """Return the changed component in blocks of an output: the output minus its rest.

        The rest is filtered and crossfaded like the output. Band filters and crossfade are linear,
        so the difference is the filtered component. A gate, whose gains depend on the sum of
        component and rest, attenuates the rest by gains of its own: the difference contains errors
        around the level of the gate. Where a limiter attenuated the output, the difference contains
        the attenuation of the rest, too.

        Args:
          blocks: blocks of the output.
          sample_rate: its sample rate in Hz.
          factor: gain that was applied to the output.
        """
        if self.mixdown.rest is None:
            yield from blocks
            return
        with audio.Reader(self.mixdown.rest) as reader:
            rest = self._finish(reader.blocks(), sample_rate, reader.info.channels)
            yield from self.mixdown.extract(blocks, rest, factor)

    def _finish(
        self, blocks: Iterator[NDArray[Any]], sample_rate: int, channels: int
    ) -> Iterator[NDArray[Any]]:
        """Filter blocks of the output and close its loop."""
        filtered = audio.apply_filters(blocks, sample_rate, self.filters)
        return self.mixdown.close_loop(filtered, sample_rate, channels)


DEFAULT_FINISH = Finish()


@dataclass(frozen=True)
class TileGrid:
    """Positions of tiles: one every `hop` samples, neighbors share `overlap` samples.

    The last tile ends with the file, so it can overlap its neighbor further. It begins at a
    multiple of `step`; up to `step` samples after the end of the file are zero. What a file lacks
    to the end of its only tile is zero, or for a loop its repetition after `period` samples.

    >>> grid = TileGrid(samples=1000, overlap=200)
    >>> grid.hop, grid.count(2500)
    (800, 3)
    """

    samples: int
    overlap: int
    batch: int = 1
    step: int = 1
    period: int | None = None

    @property
    def hop(self) -> int:
        """Samples from the start of a tile to that of the next one."""
        return self.samples - self.overlap

    @classmethod
    def build(
        cls, config: TilesConfig, clip_samples: int, sample_rate: int, window_samples: int = 1
    ) -> "TileGrid":
        """Build the grid of a configuration.

        Args:
          config: length and overlap of the tiles.
          clip_samples: length of the tiles if the configuration has none.
          sample_rate: sample rate of the tiles in Hz.
          window_samples: shortest length of a tile.

        Raises:
          ConfigError: if tiles are too short, or the overlap is more than half of a tile.
        """
        samples = config.samples(sample_rate, clip_samples)
        if config.seconds is not None and samples < window_samples:
            least_seconds = math.ceil(1000 * window_samples / sample_rate) / 1000
            raise ConfigError(
                f"tiles.seconds={config.seconds:g} gives tiles of {samples} samples, fewer "
                f"than the window of {window_samples}; use at least {least_seconds:g} s"
            )
        overlap = round(config.overlap_seconds * sample_rate)
        if overlap > samples // 2:
            raise ConfigError(
                f"tiles.overlap_seconds={config.overlap_seconds:g} is more than half of a tile of "
                f"{samples / sample_rate:g} s; use a shorter one"
            )
        return cls(samples, overlap, config.batch)

    def count(self, samples: int) -> int:
        """Return the number of tiles that cover a signal of `samples` samples."""
        return 1 + max(0, -(-(samples - self.samples) // self.hop))

    def aligned(self, step: int) -> "TileGrid":
        """Let all tiles begin at multiples of `step` samples: their overlap is at most as long.

        Without an overlap as long as a step, it is longer by less than a step.

        >>> TileGrid(samples=1000, overlap=200).aligned(128)
        TileGrid(samples=1000, overlap=104, batch=1, step=128, period=None)
        """
        steps = self.hop // step if self.overlap < step else -(-self.hop // step)
        return replace(self, overlap=self.samples - steps * step, step=step)

    def limited(self, samples: int) -> "TileGrid":
        """Shorten the tiles to a length, with an overlap of at most half of that.

        >>> TileGrid(samples=1000, overlap=200).limited(300)
        TileGrid(samples=300, overlap=150, batch=1, step=1, period=None)
        """
        samples = min(samples, self.samples)
        return replace(self, samples=samples, overlap=min(self.overlap, samples // 2))

    def fitted(self, samples: int, tolerance: float) -> "TileGrid":
        """Lengthen the tiles so that a signal needs one tile less, if that is enough.

        Args:
          samples: length of the signal.
          tolerance: largest lengthening, relative to the length of a tile.

        >>> grid = TileGrid(samples=1000, overlap=200)
        >>> grid.fitted(1006, 0.05).samples, grid.fitted(1810, 0.05).samples
        (1006, 1005)
        >>> grid.fitted(1800, 0.05) == grid.fitted(1060, 0.05) == grid
        True
        """
        fewer = self.count(samples) - 1
        if not fewer:
            return self
        missing = samples - (fewer * self.hop + self.overlap)
        longer = -(-missing // fewer)
        return replace(self, samples=self.samples + longer * (longer <= tolerance * self.samples))

    def cut(self, blocks: Iterable[NDArray[Any]], channels: int = 1) -> Iterator[Tiles]:
        """Cut a stream of blocks `[samples, channels]` into batches of tiles."""
        tiles: list[NDArray[Any]] = []
        previous = np.zeros((0, channels), np.float32)
        buffer = previous
        done = 0
        for block in blocks:
            buffer = np.concatenate([buffer, block])
            while len(buffer) > self.samples:
                previous = buffer[: self.samples]
                tiles.append(previous)
                buffer = buffer[self.hop :]
                if len(tiles) == self.batch:
                    yield self._stack(tiles, done)
                    done += len(tiles)
                    tiles = []
        missing = self.samples - len(buffer)
        earlier = missing // self.step * self.step if len(previous) else 0
        parts = np.concatenate([previous[self.hop - earlier : self.hop], buffer])
        tiles.append(self._padded(parts, is_only=not len(previous)))
        last = self._stack(tiles, done)
        last.weights[-1] = len(buffer) / self.samples
        last.starts[-1] -= earlier
        last.skips[-1] = earlier
        yield last

    def _padded(self, tile: NDArray[Any], is_only: bool) -> NDArray[Any]:
        missing = self.samples - len(tile)
        if self.period is None or not is_only or not len(tile):
            return np.pad(tile, ((0, missing), (0, 0)))
        repetition = np.resize(tile[-self.period :], (missing, tile.shape[1]))
        return np.concatenate([tile, repetition])

    def _stack(self, tiles: list[NDArray[Any]], before: int) -> Tiles:
        numbers = np.arange(before, before + len(tiles))
        return Tiles(
            np.stack(tiles), np.ones(len(tiles)), numbers * self.hop, np.zeros_like(numbers)
        )


def mid_tiles(reader: audio.Reader, sample_rate: int, grid: TileGrid) -> Iterator[Tiles]:
    """Cut a file's mid signal at another sample rate into tiles; see `TileGrid.cut`."""
    return grid.cut(reader.mid(sample_rate))


def tile_pairs(
    source: str | Path,
    changed: str | Path,
    sample_rate: int,
    grid: TileGrid,
    finish: Finish = DEFAULT_FINISH,
    factor: float = 1.0,
) -> Iterator[tuple[Tiles, Tiles]]:
    """Yield pairs of tiles of two files' mid signals.

    Args:
      source: the original.
      changed: the output.
      sample_rate: sample rate of the tiles in Hz.
      grid: positions of the tiles.
      finish: how the output was made from the component that is compared.
      factor: gain that was applied to the output.
    """
    with audio.Reader(source) as before, audio.Reader(changed) as after:
        rate = after.info.sample_rate
        component = audio.mid(finish.extract(after.blocks(), rate, factor))
        yield from zip(
            mid_tiles(before, sample_rate, grid),
            grid.cut(audio.resample(component, rate, sample_rate)),
            strict=False,  # a file that is longer by a sample than its header may have one more
        )


def batches_in(source: str | Path, sample_rate: int, grid: TileGrid) -> int:
    """Return the number of batches of tiles of a file, estimated from its header."""
    info = audio.info(source)
    tiles = grid.count(math.ceil(info.estimated_samples * sample_rate / info.sample_rate))
    return -(-tiles // grid.batch)


def channel_tiles(reader: audio.Reader, sample_rate: int, grid: TileGrid) -> Iterator[Tiles]:
    """Cut all channels of a file at another sample rate into tiles; see `TileGrid.cut`."""
    return grid.cut(reader.resampled(sample_rate), reader.info.channels)


def change_file(
    source: str | Path,
    output: str | Path,
    sample_rate: int,
    grid: TileGrid,
    change: TileFn,
    finish: Finish = DEFAULT_FINISH,
) -> audio.Written:
    """Change a file tile by tile.

    Args:
      source: any audio file.
      output: the file to write; its extension selects the format.
      sample_rate: sample rate of the tiles in Hz.
      grid: positions of the tiles.
      change: computes the changed channels of a batch of tiles.
      finish: filters, level and format of the output.

    Returns:
      The properties of the written file.
    """
    with audio.Reader(source) as original:
        info = original.info
        blocks = changed_blocks(original, sample_rate, grid, change)
        return finish.write(output, blocks, info.sample_rate, info.channels)


def changed_blocks(
    original: audio.Reader, sample_rate: int, grid: TileGrid, change: TileFn
) -> Iterator[NDArray[Any]]:
    """Yield the blocks of a file that is changed tile by tile; see `change_file`."""
    with audio.Reader(original.path) as again:
        changes = overlap_add(channel_tiles(again, sample_rate, grid), grid, change)
        at_file_rate = audio.resample(changes, sample_rate, original.info.sample_rate)
        yield from merge(original.blocks(), at_file_rate)


def overlap_add(tiles: Iterable[Tiles], grid: TileGrid, change: TileFn) -> Iterator[NDArray[Any]]:
    """Yield the cross-faded change of tiles as blocks float32 `[samples, channels]`.

    Args:
      tiles: the tiles of a file.
      grid: their positions.
      change: computes the changed channels of a batch of tiles.
    """
    # The rising and falling halves of a raised cosine add up to 1.
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(grid.overlap) + 0.5) / max(grid.overlap, 1)))[
        :, None
    ].astype(np.float32)
    tail: NDArray[Any] | None = None
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


def merge(
    blocks: Iterable[NDArray[Any]], changes: Iterator[NDArray[Any]]
) -> Iterator[NDArray[Any]]:
    """Add a stream of changes to blocks of the same channels, which determine the length."""
    buffer: NDArray[Any] | None = None
    for block in blocks:
        buffer = block[:0] if buffer is None else buffer
        while len(buffer) < len(block):
            more = next(changes, None)
            if more is None:  # resampling to the tiles' rate and back can lose the last sample
                more = np.zeros((len(block) - len(buffer), block.shape[1]), np.float32)
            buffer = np.concatenate([buffer, more])
        yield block + buffer[: len(block)]
        buffer = buffer[len(block) :]
