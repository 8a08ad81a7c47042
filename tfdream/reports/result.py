"""Audio, figures and measures of a result, shared by all report formats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from tfdream.figures.parts import sheet
from tfdream.figures.spectrograms import Steps, plot_spectrograms


@dataclass(frozen=True)
class ResultSet:
    """One result, or several results of the same original, with their settings.

    Attributes:
      title: description of what was done.
      sounds: audio files by name, in the order of presentation.
      files: names of the files that sounds are parts of, by the name of the sound.
      results: the JSON objects of the command, measures included, by the name of the sound.
      settings: the resolved settings, as in the sidecar.
      command: the command as a line for a shell.
      steps: the objective or loss at each step, by the name of the result that had steps.
      steps_label: name of the quantity in `steps`.
    """

    title: str
    sounds: Mapping[str, Path]
    results: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    steps: Mapping[str, Sequence[float]] = field(default_factory=dict)
    steps_label: str = "objective"
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def figure(self) -> Figure:
        """The spectrograms of the sounds and the curves of the steps."""
        paths, titles = list(self.sounds.values()), list(self.sounds)
        return plot_spectrograms(paths, titles, Steps(self.steps, self.steps_label))

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, drawn once for all report formats."""
        return sheet.encode(self.figure)


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


def format_minutes(seconds: float) -> str:
    """Format a length in seconds as minutes and seconds.

    >>> format_minutes(61.24), format_minutes(59.96)
    ('1:01.2', '1:00.0')
    """
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths / 10:04.1f}"
