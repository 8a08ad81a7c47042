"""Assignment of folds to training, validation and test."""

import logging
from collections.abc import Collection

from tfdream.config import BaseExperiment
from tfdream.datasets.manifest import Dataset
from tfdream.errors import ConfigError, DatasetError
from tfdream.runs import RunInfo, versions

logger = logging.getLogger(__name__)

# Settings of `prepare` that decide which folds, files and labels a clip has, but not its samples.
_STORAGE_SETTINGS = {"codec", "folds", "gap_seconds", "labels", "seed", "shard_clips", "split"}


def check_clips(config: BaseExperiment, dataset: Dataset) -> None:
    """Compare the settings with which a dataset was prepared with those of an experiment.

    Other differences than sample rate and length, such as trims, are logged as a warning.

    Raises:
      DatasetError: if the sample rate or the length of the clips differs.
    """
    for setting in ("sample_rate", "clip_seconds"):
        required, actual = getattr(config.prepare, setting), getattr(dataset.config, setting)
        if required != actual:
            raise DatasetError(
                f"'{dataset.folder}' was prepared with {setting}={actual:g}, the configuration "
                f"requires {required:g}; prepare it again with this configuration, or use "
                f"--set prepare.{setting}={actual:g}"
            )
    differences = [
        f"{name}={getattr(dataset.config, name)} instead of {getattr(config.prepare, name)}"
        for name in sorted(set(type(config.prepare).model_fields) - _STORAGE_SETTINGS)
        if getattr(dataset.config, name) != getattr(config.prepare, name)
    ]
    if differences:
        logger.warning(
            "'%s' was prepared with other settings than the configuration's: %s; prepare it "
            "again if this is not intended",
            dataset.folder,
            ", ".join(differences),
        )


def check_overridden(config: BaseExperiment, dataset: Dataset, names: Collection[str]) -> None:
    """Check that a dataset was prepared with the settings of `prepare` that a call overrides.

    Training ignores those that decide folds, files and labels; `check_clips` checks the others.

    Args:
      config: the experiment.
      dataset: the dataset.
      names: settings of `prepare` that the call overrides.

    Raises:
      DatasetError: if one differs.
    """
    for name in sorted(_STORAGE_SETTINGS.intersection(names)):
        required, actual = getattr(config.prepare, name), getattr(dataset.config, name)
        if name == "folds":  # the source may specify them
            actual = len(dataset.folds)
        if required != actual:
            raise DatasetError(
                f"'{dataset.folder}' was prepared with {name}={actual}, prepare.{name}={required} "
                f"is required; prepare it again with this setting, or leave out prepare.{name}"
            )


def split(dataset: Dataset, validate_on: str, test_fold: int | None) -> RunInfo:
    """Assign the folds of a dataset to training, validation and test.

    Args:
      dataset: the dataset.
      validate_on: fold for validation: ``test``, ``next`` (the one after the test fold) or
        ``none``.
      test_fold: the held-out fold; None for none.

    Raises:
      ConfigError: if no fold remains for training, or the test fold is not in the dataset.
    """
    folds = dataset.folds
    if test_fold is None and validate_on != "none":
        raise ConfigError(
            f"test_fold=none leaves no fold for training.validate_on={validate_on}; "
            "set training.validate_on=none too"
        )
    if test_fold is not None and test_fold not in folds:
        raise ConfigError(f"test_fold={test_fold} is not in the dataset (folds: {folds})")
    validation = None
    if test_fold is not None and validate_on != "none":
        step = 1 if validate_on == "next" else 0
        validation = folds[(folds.index(test_fold) + step) % len(folds)]
    training = [fold for fold in folds if fold not in (test_fold, validation)]
    if not training:
        raise ConfigError(
            f"test_fold={test_fold} and validation fold {validation} leave no fold of {folds} for "
            "training; prepare the dataset with more folds, or use --test-fold none"
        )
    return RunInfo(
        labels=dataset.labels,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        test_fold=test_fold,
        validation_fold=validation,
        training_folds=training,
        versions=versions(),
    )


def check_labels(dataset: Dataset, info: RunInfo) -> None:
    """Check that the training folds have all labels of the test and the validation fold.

    Raises:
      DatasetError: if a label is missing, which a classifier could not predict.
    """
    clips, _ = dataset.counts_per_fold()
    rows = dict(zip(dataset.folds, clips, strict=True))
    trained = sum(rows[fold] for fold in info.training_folds)
    for kind, fold in (("test", info.test_fold), ("validation", info.validation_fold)):
        if fold is None:
            continue
        missing = [
            label
            for label, count, training in zip(dataset.labels, rows[fold], trained, strict=True)
            if count and not training
        ]
        if missing:
            raise DatasetError(
                f"{kind} fold {fold} has the labels {', '.join(missing)}, which the training folds "
                f"{info.training_folds} lack; prepare '{dataset.folder}' again with more tracks of "
                "each label or fewer folds, or, for long mixes, with --set prepare.split=segments"
            )
