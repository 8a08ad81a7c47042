"""Snapshots: intermediate results of a file after every n steps."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream.io.atomic import naming_errors
from tfdream.synthesis.rendering.tiles import TileFn, Tiles


class Snapshots:
    """Stores intermediate results of tiles on disk until all tiles are finished.

    Use as a context manager.

    Args:
      every: steps between snapshots; None stores nothing.
      max_steps: largest number of steps for each tile.
    """

    def __init__(self, every: int | None, max_steps: int) -> None:
        self.steps = snapshot_steps(every, max_steps)
        self._folder = tempfile.TemporaryDirectory()
        self._reached = 0
        self._current: list[NDArray[Any]] = []

    def __enter__(self) -> "Snapshots":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def includes(self, step: int) -> bool:
        """Return whether the result of this step, counted from 1, is stored."""
        return step in self.steps

    def add(self, channels: NDArray[Any]) -> None:
        """Store an intermediate result of the current tiles, `[batch, samples, channels]`."""
        self._current.append(channels)

    def finish(self, channels: NDArray[Any]) -> None:
        """Finish the current tiles; their final result stands for the steps not reached."""
        self._reached = max(self._reached, len(self._current))
        results = [*self._current, *[channels] * len(self.steps)]
        for step, result in zip(self.steps, results, strict=False):
            path = self._path(step)
            with naming_errors(path), path.open("ab") as file:
                file.write(np.ascontiguousarray(result, np.float32).tobytes())
        self._current = []

    def replays(self, stopped: bool = False) -> Iterator[tuple[int, TileFn]]:
        """Yield each stored step and a function that returns its results, tile by tile.

        Args:
          stopped: whether the job was stopped: then steps that no tile has reached are left out.
        """
        for step in self.steps[: self._reached] if stopped else self.steps:
            yield step, self._replay(step)

    def _replay(self, step: int) -> TileFn:
        offset = 0

        def replay(tiles: Tiles) -> NDArray[Any]:
            nonlocal offset
            shape = tiles.channels.shape
            stored = np.fromfile(self._path(step), np.float32, tiles.channels.size, offset=offset)
            offset += stored.nbytes
            return stored.reshape(shape)

        return replay

    def _path(self, step: int) -> Path:
        return Path(self._folder.name) / str(step)


def snapshot_steps(every: int | None, max_steps: int) -> list[int]:
    """Return the steps, counted from 1, whose results are stored.

    >>> snapshot_steps(every=6, max_steps=20)
    [6, 12, 18]
    """
    return list(range(every, max_steps + 1, every)) if every else []


def snapshot_path(output: Path, step: int, max_steps: int) -> Path:
    """Return the path of the snapshot of a step.

    >>> snapshot_path(Path("song.flac"), step=20, max_steps=100).name
    'song-020.flac'
    """
    return output.with_name(f"{output.stem}-{step:0{len(str(max_steps))}}{output.suffix}")
