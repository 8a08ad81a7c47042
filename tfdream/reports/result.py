"""Audio, figures and measures of a result, shared by all report formats."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tfdream import figures


@dataclass(frozen=True)
class ResultSet:
    """One result, or several results of the same original, with their settings.

    Attributes:
      title: description of what was done.
      sounds: audio files by name, in the order of presentation.
      results: the JSON objects of the command, measures included, by the name of the sound.
      settings: the resolved settings, as in the sidecar.
      command: the command as a line for a shell.
      steps: the objective or loss at each step; empty if there were no steps.
      steps_label: name of the quantity in `steps`.
    """

    title: str
    sounds: Mapping[str, Path]
    results: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    steps: Sequence[float] = ()
    steps_label: str = "objective"

    def draw(self, output: Path) -> None:
        """Draw the spectrograms of the sounds and the curve of the steps."""
        paths, titles = list(self.sounds.values()), list(self.sounds)
        figures.spectrograms(paths, output, titles, self.steps, self.steps_label)

    @cached_property
    def picture(self) -> bytes:
        """The figure as PNG, drawn once for all report formats."""
        return render_png(self.draw)


def render_png(draw: Callable[[Path], None]) -> bytes:
    """Return the PNG that a function writes to the path it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        draw(path)
        return path.read_bytes()


def flatten(result: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return names and formatted values of a result; nested objects get dotted names.

    Lists are left out.

    >>> flatten({"peak": 0.123456, "loudness": None, "network": {"layers": 3}, "notes": []})
    [('peak', '0.12346'), ('loudness', '—'), ('network.layers', '3')]
    """
    rows: list[tuple[str, str]] = []
    for name, value in result.items():
        if isinstance(value, Mapping):
            rows += flatten(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            rows.append((prefix + name, f"{value:.5g}"))
        elif not isinstance(value, list):
            rows.append((prefix + name, "—" if value is None else str(value)))
    return rows
