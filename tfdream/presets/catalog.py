"""The presets that can be used by name, and those that can be installed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tfdream.errors import ModelError, did_you_mean
from tfdream.presets import downloads
from tfdream.presets.card import ModelCard
from tfdream.runs.named import PACKAGED, named_runs

State = Literal["packaged", "installed", "download"]


@dataclass(frozen=True)
class Preset:
    """A network that can be used by name.

    Attributes:
      name: the name.
      state: part of the package, installed by the user, or available for download.
      title: what it is, in one line; "damaged card" if its card cannot be read, of which
        `presets.describe` raises the error.
      folder: its run folder; None if it is not installed.
      download: name of the download that contains it; None if there is none.
    """

    name: str
    state: State
    title: str
    folder: Path | None = None
    download: str | None = None


def list_presets() -> list[Preset]:
    """Return all presets: installed ones, and those that can be downloaded."""
    found: dict[str, Preset] = {}
    for download in downloads.names():
        module = downloads.load(download)
        for name in module.PRESETS:
            found[name] = Preset(name, "download", module.TITLE, download=download)
    for name, folder in named_runs().items():
        state: State = "packaged" if folder.parent == PACKAGED else "installed"
        origin = found[name].download if name in found else None
        found[name] = Preset(name, state, _title(folder), folder, origin)
    return [found[name] for name in sorted(found)]


def _title(folder: Path) -> str:
    """Return the title of a run folder's card, which may be damaged."""
    try:
        card = ModelCard.read(folder)
    except ModelError:
        return "damaged card"
    return card.title if card else ""


def presets_by_name() -> dict[str, Preset]:
    """Return all presets by their names."""
    return {preset.name: preset for preset in list_presets()}


def find(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
      ModelError: if there is none of this name.
    """
    presets = presets_by_name()
    if name not in presets:
        raise ModelError(
            f"there is no preset '{name}'{did_you_mean(name, presets)}; "
            "tfdream models list shows all"
        )
    return presets[name]
