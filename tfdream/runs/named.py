"""Run folders that are found by name: presets in the package, and those the user installed."""

import os
from pathlib import Path

from platformdirs import user_data_path

from tfdream.errors import ModelError, did_you_mean
from tfdream.runs.info import INFO_FILE

FOLDER_VARIABLE = "TFDREAM_MODELS"
"""Environment variable with the folder of the installed presets."""
PACKAGED = Path(__file__).parents[1] / "presets" / "packaged"
"""Folder of the presets that are part of the package."""


def user_folder() -> Path:
    """Return the folder of the presets that the user installed."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_data_path("tfdream") / "models"


def named_runs() -> dict[str, Path]:
    """Return the run folders that can be opened by name, sorted by name.

    A preset of the package takes precedence over an installed one of the same name.
    """
    folders = {
        folder.parent.name: folder.parent
        for root in (user_folder(), PACKAGED)
        for folder in root.glob(f"*/{INFO_FILE}")
        if not folder.parent.name.startswith(".")
    }
    return dict(sorted(folders.items()))


def fold_folder(folder: str | Path, fold: int) -> Path:
    """Return the folder, in that of a cross-validation, of the run that holds out a fold."""
    return Path(folder) / f"fold{fold}"


def is_run(folder: str | Path) -> bool:
    """Return whether a folder contains a run."""
    return (Path(folder) / INFO_FILE).exists()


def check_is_run(run: str | Path) -> None:
    """Check that `locate` finds a run, without reading it.

    Raises:
      ModelError: if it does not.
    """
    folder = locate(run)
    if not is_run(folder):
        raise no_run(folder, INFO_FILE)


def no_run(folder: Path, missing: str) -> ModelError:
    """Return the error about a folder that lacks a file of a run."""
    similar = did_you_mean(str(folder), named_runs())
    return ModelError(
        f"'{folder}' is not a run folder (no {missing}){similar}; give a folder that tfdream "
        "train wrote, or the name of a preset (see tfdream models list)"
    )


def locate(run: str | Path) -> Path:
    """Return the folder of a run.

    Args:
      run: a run folder, or the name of a preset. A folder takes precedence.

    Returns:
      The folder; it need not exist if `run` is not the name of a preset.
    """
    path = Path(run)
    if is_run(path) or len(path.parts) != 1:
        return path
    return named_runs().get(path.name, path)
