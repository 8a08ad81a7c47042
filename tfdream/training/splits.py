"""What a run is trained on, and what is held out."""

from pathlib import Path

from tfdream.config import BaseExperiment
from tfdream.datasets.records import Dataset
from tfdream.errors import ConfigError, DatasetError
from tfdream.runs import RunInfo, versions


def check_clips(config: BaseExperiment, dataset: Dataset, folder: Path) -> None:
    """See that a dataset has the clips that a configuration wants.

    Raises:
      DatasetError: if it has not.
    """
    for setting in ("sample_rate", "clip_seconds"):
        wanted, found = getattr(config.prepare, setting), getattr(dataset.config, setting)
        if wanted != found:
            raise DatasetError(
                f"'{folder}' was prepared with {setting}={found:g}, the configuration wants "
                f"{wanted:g}; prepare it with this one, or --set prepare.{setting}={found:g}"
            )


def split(dataset: Dataset, folder: Path, validate_on: str, test_fold: int | None) -> RunInfo:
    """Deal out the folds of a dataset.

    Args:
      dataset: its description.
      folder: where it lies.
      validate_on: the fold that is watched: ``test``, ``next`` (the one after it) or ``none``.
      test_fold: held out; None for none.

    Raises:
      ConfigError: if the folds do not allow it.
    """
    folds = dataset.folds
    if test_fold is None and validate_on != "none":
        raise ConfigError(
            f"test_fold=none leaves nothing for training.validate_on={validate_on}; "
            "set training.validate_on=none too"
        )
    if test_fold is not None and test_fold not in folds:
        raise ConfigError(f"test_fold={test_fold} is not in the dataset (folds: {folds})")
    validation = None
    if test_fold is not None and validate_on != "none":
        step = 1 if validate_on == "next" else 0
        validation = folds[(folds.index(test_fold) + step) % len(folds)]
    rest = [fold for fold in folds if fold not in (test_fold, validation)]
    if not rest:
        raise ConfigError(
            f"test_fold={test_fold} and validation fold {validation} leave no fold of {folds} to "
            "train on; prepare the dataset with more folds, or use --test-fold none"
        )
    return RunInfo(
        labels=dataset.labels,
        dataset=folder.name,
        dataset_fingerprint=dataset.fingerprint,
        test_fold=test_fold,
        validation_fold=validation,
        training_folds=rest,
        versions=versions(),
    )
