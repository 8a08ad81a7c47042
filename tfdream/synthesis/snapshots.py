"""What a recording is like on the way: a file every so many steps."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from tfdream.synthesis.tiles import Change, Tiles


class Snapshots:
    """Keeps what tiles are like at some steps, on disk, until all tiles are there.

    Use as a context manager.

    Args:
      every: steps between snapshots; None keeps nothing.
      steps: of each tile, at most.
    """

    def __init__(self, every: int | None, steps: int) -> None:
        self.numbers = list(range(every, steps + 1, every)) if every else []
        """The steps that are kept."""
        self._files: list[BinaryIO] = []
        self._tile: list[np.ndarray] = []

    def __enter__(self) -> "Snapshots":
        self._files = [tempfile.TemporaryFile() for _ in self.numbers]  # noqa: SIM115
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()

    def wanted(self, step: int) -> bool:
        """Whether a tile is to be kept after this step, counted from 1."""
        return step in self.numbers

    def keep(self, channels: np.ndarray) -> None:
        """Keep what the tiles at hand are like now."""
        self._tile.append(channels)

    def finish(self, channels: np.ndarray) -> None:
        """Go on to the next tiles; these ended like this, perhaps early."""
        kept = [*self._tile, *[channels] * len(self.numbers)]
        for file, tiles in zip(self._files, kept, strict=False):
            file.write(np.ascontiguousarray(tiles, np.float32).tobytes())
        self._tile = []

    def replays(self) -> Iterator[tuple[int, Change]]:
        """For each kept step its number, and what was made of the tiles, in their order."""
        for number, file in zip(self.numbers, self._files, strict=True):
            file.seek(0)

            def replay(tiles: Tiles, file: BinaryIO = file) -> np.ndarray:
                stored = file.read(tiles.channels.nbytes)
                return np.frombuffer(stored, np.float32).reshape(tiles.channels.shape)

            yield number, replay


def numbered(output: Path, step: int, steps: int) -> Path:
    """Where the snapshot of a step goes: ``song.flac`` → ``song-020.flac``."""
    return output.with_name(f"{output.stem}-{step:0{len(str(steps))}}{output.suffix}")
