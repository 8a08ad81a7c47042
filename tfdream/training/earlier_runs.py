"""Trained classifiers that a training uses: its initial weights, and its teachers."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets.manifest import Dataset
from tfdream.errors import ConfigError
from tfdream.runs import Run
from tfdream.runs.named import fold_folder, is_run


def open_earlier(key: str, name: str, run: Run, dataset: Dataset) -> Run:
    """Open a run, a preset, or the run of a cross-validation for the same held-out fold.

    Args:
      key: the setting that names it, for messages.
      name: its folder, or the name of a preset.
      run: the run to train.
      dataset: the dataset of that run.

    Raises:
      ConfigError: if it has another frontend or sample rate, or was trained on a track that the
        run to train holds out.
      ModelError: if it cannot be opened.
    """
    held_out = run.info.test_fold
    earlier = Run.open(_path(name, held_out))
    check_frontend(run.config, earlier, f"{key}={name}")
    if held_out is not None:
        seen = dataset.tracks_among(earlier.info.trained_tracks, held_out)
        if seen:
            raise ConfigError(
                f"{key}={name} was trained on {len(seen)} tracks of fold {held_out}, which this "
                f"training holds out; train it with --test-fold {held_out}, or name the folder of "
                "a crossvalidate with the same folds"
            )
    return earlier


def trained_tracks(training: TrainingConfig, test_fold: int | None) -> Iterator[str]:
    """Yield the digests of the tracks that the earlier runs of a training were trained on.

    Raises:
      ModelError: if one cannot be opened.
    """
    names: Iterable[str | None] = (training.pretrained, *training.teachers)
    for name in names:
        if name is not None:
            yield from Run.open(_path(name, test_fold)).info.trained_tracks


def check_frontend(config: Experiment, run: Run, key: str) -> None:
    """Raise ConfigError if the run that the setting `key` names has other inputs."""
    if (config.frontend, config.prepare.sample_rate) != (run.config.frontend, run.sample_rate):
        raise ConfigError(
            f"{key} was trained with another frontend or sample rate ({run.sample_rate} Hz); use "
            "those of its config.yaml"
        )


def _path(name: str, held_out: int | None) -> str | Path:
    """Return the run of a cross-validation for a held-out fold, or the path itself."""
    if held_out is not None and is_run(fold_folder(name, held_out)):
        return fold_folder(name, held_out)
    return name
