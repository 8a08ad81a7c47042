"""`train` for a CycleGAN: fit it to two genres, or go on fitting it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from tfdream.config import TranslationExperiment, TranslationTrainingConfig
from tfdream.datasets import records, unpaired
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.records import Dataset
from tfdream.datasets.unpaired import Sides
from tfdream.errors import ConfigError, ModelError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models.gan import BidirectionalModel
from tfdream.runs import RunInfo, TranslationRun
from tfdream.training import callbacks, splits
from tfdream.training.cyclegan import CycleGAN
from tfdream.training.distributed import SINGLE_MACHINE, ClusterConfig
from tfdream.training.session import Batches, Session

# A generator whose translations differ less than this from each other, as a share of how much real
# images do, after they differed more than that, has collapsed.
_COLLAPSED, _ALIVE = 0.02, 0.1


PreviewFn = Callable[[BidirectionalModel, int], None]
"""Looks at the generators after so many epochs; at 0 before training."""

Preview = Callable[[TranslationRun, Sides], PreviewFn]


def train_translation(
    config: TranslationExperiment,
    dataset_folder: Path | tuple[Path, Path],
    run_folder: Path,
    test_fold: int | None = 0,
    force: bool = False,
    progress: ProgressFn = no_progress,
    watcher: Preview | None = None,
    machines: ClusterConfig = SINGLE_MACHINE,
) -> dict[str, Any]:
    """Train a CycleGAN on every fold but the held-out one.

    Args:
      config: genres, networks, frontend and training.
      dataset_folder: that `prepare` wrote, of both genres; or two, of the first genre and of the
        second, all clips of which then count.
      run_folder: where the result goes; a run of the same settings there is continued.
      test_fold: held out; None to train on everything.
      force: start anew where `run_folder` holds a run already.
      progress: receives the finished steps and the steps of all epochs.
      watcher: makes, of the held-out clips, what looks at the generators before training and after
        every `training.preview_every` epochs.
      machines: that take part.

    Returns:
      The JSON object of the command: run, epochs, labels, parameters, test_fold,
      examples_per_second (pairs of images), data_wait_fraction, seconds, metrics.

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or the run do not fit, or
        training breaks down.
      ClusterError: if another machine ends before this one does.
    """
    machines.refuse_service()
    folders = [dataset_folder] if isinstance(dataset_folder, Path) else list(dataset_folder)
    if len(folders) == 2 and folders[0].resolve() == folders[1].resolve():
        raise ConfigError(
            f"'{folders[1]}' is given as both genres; name a dataset of the second one"
        )
    with machines.joined(run_folder) as workers:
        loaded = {folder: records.load(folder) for folder in folders}
        for folder, dataset in loaded.items():
            splits.check_clips(config, dataset, folder)
        labels = _labels(config, loaded)
        infos = [
            splits.split(dataset, folder, config.training.validate_on, test_fold)
            for folder, dataset in loaded.items()
        ]
        run = TranslationRun(workers.folder, config, _joined(infos, labels))
        session = Session(run, workers, force, progress)
        learnt_from = _sides(loaded, labels, [info.training_folds for info in infos])
        held_out = None
        if run.info.validation_fold is not None:
            held_out = _sides(loaded, labels, [[run.info.validation_fold] for _ in infos])
        with records.report_corrupt_shards(loaded):
            result = _fit(run, session, learnt_from, held_out, watcher)
        return session.end({"run": str(run_folder), **result})


def _fit(
    run: TranslationRun,
    session: Session,
    learnt_from: Sides,
    held_out: Sides | None,
    watcher: Preview | None,
) -> dict[str, Any]:
    """Train on some clips; see `train_translation` for what it returns."""
    workers = session.workers
    config, training = run.config, run.config.training
    steps = unpaired.steps_per_epoch(learnt_from, training.batch_size)
    portion = workers.portion
    validation = held_out and unpaired.evaluation_batches(held_out, config, portion)
    watch = watcher(run, held_out) if watcher and held_out else None
    workers.check_batch_size(training.batch_size)
    with session.building():
        model = CycleGAN(run.build_networks(), run.build_networks(), training, steps)
        session.begin(model)
    if not session.finished:
        batches = unpaired.training_batches(learnt_from, config, session.first_epoch, portion)
        session.fit(
            model,
            model.generators,
            Batches(batches, training.batch_size, steps),
            validation,
            before=[CollapseDetector(session.history)],
            after=[_watching(watch, model, training)] if watch else [],
        )
    return _summary(run, model, session.history)


class CollapseDetector(keras.callbacks.Callback):
    """Stops a training whose generators make the same of everything; place it before the keeper.

    Args:
      history: a row per epoch so far.
    """

    def __init__(self, history: list[callbacks.Row]) -> None:
        super().__init__()
        self.history = history

    def on_epoch_end(self, epoch: int, logs: callbacks.Row) -> None:
        """Look at the spreads.

        Raises:
          ModelError: if one has fallen to next to nothing.
        """
        for name in ("spread_forward", "spread_backward"):
            before = max((row[name] for row in self.history), default=0.0)
            if logs[name] < _COLLAPSED and before > _ALIVE:
                raise ModelError(
                    f"after epoch {epoch + 1} the generator makes nearly the same of every clip "
                    f"({name} {logs[name]:.3f}, before {before:.3f}): it has collapsed. Use a "
                    "lower training.learning_rate, or another training.seed; what earlier epochs "
                    "learnt is kept"
                )


def _watching(
    watch: PreviewFn, model: CycleGAN, training: TranslationTrainingConfig
) -> callbacks.PreviewCallback:
    return callbacks.PreviewCallback(
        lambda epochs: watch(model.generators, epochs), training.preview_every, training.epochs
    )


def _sides(loaded: dict[Path, Dataset], labels: tuple[str, str], folds: list[list[int]]) -> Sides:
    """The clips of some folds of each dataset, of both genres."""
    names = labels if len(loaded) == 1 else (None, None)
    sides = [
        ClipSet(folder, dataset, dataset.fold_shards(own), None)
        for (folder, dataset), own in zip(loaded.items(), folds, strict=True)
    ]
    first, other = (
        replace(side, label=name) for side, name in zip((sides[0], sides[-1]), names, strict=True)
    )
    return first, other


def _labels(config: TranslationExperiment, loaded: dict[Path, Dataset]) -> tuple[str, str]:
    """The names of the two genres, in the order of the translation forward."""
    found: list[str]
    if len(loaded) == 2:
        found = [
            dataset.labels[0] if len(dataset.labels) == 1 else folder.name
            for folder, dataset in loaded.items()
        ]
        first, second = config.labels or found
        if first == second:
            raise ConfigError(
                f"both datasets are of '{first}'; name the genres: --set 'labels=[…, …]'"
            )
        return first, second
    ((folder, dataset),) = loaded.items()
    if config.labels is None:
        if len(dataset.labels) != 2:
            raise ConfigError(
                f"'{folder}' has the labels {', '.join(dataset.labels)}; choose two, such as "
                f"--set 'labels=[{', '.join(dataset.labels[:2])}]'"
            )
        first, second = dataset.labels
        return first, second
    for label in config.labels:
        if label not in dataset.labels:
            raise ConfigError(
                f"labels: '{label}' is not one of '{folder}', which has {', '.join(dataset.labels)}"
            )
    return config.labels


def _joined(infos: list[RunInfo], labels: tuple[str, str]) -> RunInfo:
    """One description of a run on one or two datasets."""
    return infos[0].model_copy(
        update={
            "labels": list(labels),
            "dataset": " and ".join(info.dataset for info in infos),
            "dataset_fingerprint": " ".join(info.dataset_fingerprint for info in infos),
            "training_folds": sorted({fold for info in infos for fold in info.training_folds}),
        }
    )


def _summary(run: TranslationRun, model: CycleGAN, history: list[callbacks.Row]) -> dict[str, Any]:
    row = history[-1]
    names = (name for name in row if name not in callbacks.MACHINE_COLUMNS)
    return {
        "epochs": len(history),
        "labels": run.labels,
        "parameters": model.generators.count_params() + model.discriminators.count_params(),
        "test_fold": run.info.test_fold,
        **callbacks.speed(history),
        "metrics": {name: row[name] for name in names},
    }
