"""What a recording is like on the way: a file every so many steps."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfdream.io.atomic import naming_errors
from tfdream.synthesis.rendering.tiles import Change, Tiles


class Snapshots:
    """Keeps what tiles are like at some steps, on disk, until all tiles are there.

    Use as a context manager.

    Args:
      every: steps between snapshots; None keeps nothing.
      steps: of each tile, at most.
    """

    def __init__(self, every: int | None, steps: int) -> None:
        self.numbers = snapshot_steps(every, steps)
        self._folder = tempfile.TemporaryDirectory()
        self._tile: list[np.ndarray] = []

    def __enter__(self) -> "Snapshots":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def wanted(self, step: int) -> bool:
        """Whether a tile is to be kept after this step, counted from 1."""
        return step in self.numbers

    def keep(self, channels: np.ndarray) -> None:
        """Keep what the tiles at hand are like now."""
        self._tile.append(channels)

    def finish(self, channels: np.ndarray) -> None:
        """Go on to the next tiles; these ended like this, perhaps early."""
        kept = [*self._tile, *[channels] * len(self.numbers)]
        for number, tiles in zip(self.numbers, kept, strict=False):
            path = self._path(number)
            with naming_errors(path), path.open("ab") as file:
                file.write(np.ascontiguousarray(tiles, np.float32).tobytes())
        self._tile = []

    def replays(self) -> Iterator[tuple[int, Change]]:
        """For each kept step its number, and what was made of the tiles, in their order."""
        for number in self.numbers:
            yield number, self._replay(number)

    def _replay(self, number: int) -> Change:
        position = 0

        def replay(tiles: Tiles) -> np.ndarray:
            nonlocal position
            shape = tiles.channels.shape
            stored = np.fromfile(
                self._path(number), np.float32, tiles.channels.size, offset=position
            )
            position += stored.nbytes
            return stored.reshape(shape)

        return replay

    def _path(self, number: int) -> Path:
        return Path(self._folder.name) / str(number)


def snapshot_steps(every: int | None, steps: int) -> list[int]:
    """The steps that are kept, counted from 1."""
    return list(range(every, steps + 1, every)) if every else []


def numbered(output: Path, step: int, steps: int) -> Path:
    """Where the snapshot of a step goes: ``song.flac`` → ``song-020.flac``."""
    return output.with_name(f"{output.stem}-{step:0{len(str(steps))}}{output.suffix}")
