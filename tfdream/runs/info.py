"""Labels, folds and software versions of a run."""

import functools
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from pydantic import Field, field_validator

from tfdream import __version__
from tfdream.config import Config

FORMAT = 1

INFO_FILE = "run.json"
CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.weights.h5"
EXCERPT_FILES = "excerpts_first.flac", "excerpts_second.flac"
"""Recordings of the two labels of a translation."""
JUDGED_FILE = "judged.csv"
"""Measures of a judge over the epochs of a translation."""
JUDGE_COLUMN = "judge"
"""Column of `JUDGED_FILE` with the fingerprint of the judge; the others contain numbers."""


def essential_paths(folder: Path) -> tuple[Path, ...]:
    """Return the files of a run that determine its outputs: settings, labels, weights, excerpts.

    Of the excerpts, which translations alone have, those that exist.
    """
    excerpts = (folder / name for name in EXCERPT_FILES)
    required = (folder / name for name in (CONFIG_FILE, INFO_FILE, WEIGHTS_FILE))
    return *required, *(path for path in excerpts if path.exists())


class RunInfo(Config):
    """Content of ``run.json``: labels, dataset, folds and software versions."""

    format: int = FORMAT
    labels: list[str]
    dataset: str
    dataset_fingerprint: str
    test_fold: int | None
    validation_fold: int | None
    training_folds: list[int]
    trained_tracks: list[str] = Field(default_factory=list)
    """For a classifier: digests of the tracks of all folds but the test fold, with which other
    datasets are searched for them; see `Dataset.track_digests`."""
    versions: dict[str, str]

    @field_validator("labels")
    @classmethod
    def _labels_are_distinct(cls, labels: list[str]) -> list[str]:
        if len(set(labels)) < len(labels):
            raise ValueError("a label is repeated")
        return labels


def versions() -> dict[str, str]:
    """Return the versions of tfdream, Python and the packages that results depend on."""
    return dict(_installed())


@functools.cache  # the descriptions of packages are long
def _installed() -> dict[str, str]:
    installed = {"tfdream": __version__, "python": platform.python_version()}
    packages = ("tensorflow", "tensorflow-io", "keras", "numpy", "librosa", "soxr", "soundfile")
    for name in packages:
        with suppress(metadata.PackageNotFoundError):  # some are optional
            installed[name] = metadata.version(name)
    return installed
