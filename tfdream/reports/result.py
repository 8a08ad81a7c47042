"""What there is to hear, see and read of one result, whoever shows it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tfdream import figures


@dataclass(frozen=True)
class ResultSet:
    """One result, or several of the same original, with what they were made of.

    Attributes:
      title: what was done to what.
      sounds: audio files by what they are, in the order of listening.
      results: the JSON objects of the command, measures and all, by which of the sounds they are.
      settings: what it takes to make it again, as the sidecar has it.
      command: the same as a line for a shell.
      steps: the value of each step, if there were steps.
      steps_label: what that value is.
    """

    title: str
    sounds: Mapping[str, Path]
    results: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    steps: Sequence[float] = ()
    steps_label: str = "objective"

    def draw(self, output: Path) -> None:
        """Draw the spectrograms of the sounds, and the course of the steps."""
        paths, titles = list(self.sounds.values()), list(self.sounds)
        figures.spectrograms(paths, output, titles, self.steps, self.steps_label)

    @cached_property
    def picture(self) -> bytes:
        """The same as a PNG, drawn once for all who show it."""
        return drawn(self.draw)


def drawn(draw: Callable[[Path], None]) -> bytes:
    """What a figure writes as PNG."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        draw(path)
        return path.read_bytes()


def flat(result: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A result's names and values as people read them; those of objects by a dotted name."""
    rows: list[tuple[str, str]] = []
    for name, value in result.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            rows.append((prefix + name, f"{value:.5g}"))
        elif not isinstance(value, list):
            rows.append((prefix + name, "—" if value is None else str(value)))
    return rows
