"""`train` for a CycleGAN: fit it to two genres, or go on fitting it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from tfdream.config import TranslationExperiment, TranslationTrainingConfig
from tfdream.datasets import records, unpaired
from tfdream.datasets.records import Dataset
from tfdream.datasets.sides import Side
from tfdream.datasets.unpaired import Sides
from tfdream.errors import ConfigError, ModelError
from tfdream.files import write_json
from tfdream.models.translators import Directions
from tfdream.training import callbacks, distribution, splits
from tfdream.training.cyclegan import CycleGan
from tfdream.training.runs import RunInfo, TranslationRun

logger = logging.getLogger(__name__)

# A generator whose translations differ less than this from each other, as a share of how much real
# images do, after they differed more than that, has collapsed.
_COLLAPSED, _ALIVE = 0.02, 0.1


Watch = Callable[[Directions, int], None]
"""Looks at the generators after so many epochs; at 0 before training."""


def train_translation(
    config: TranslationExperiment,
    dataset_folder: Path,
    run_folder: Path,
    test_fold: int | None = 0,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    second: Path | None = None,
    watcher: Callable[[TranslationRun, Sides], Watch] | None = None,
) -> dict[str, Any]:
    """Train a CycleGAN on every fold but the held-out one.

    Args:
      config: genres, networks, frontend and training.
      dataset_folder: that `prepare` wrote, of both genres, or of the first.
      run_folder: where the result goes; a run of the same settings there is continued.
      test_fold: held out; None to train on everything.
      force: start anew where `run_folder` holds a run already.
      progress: hears the steps done and the steps of all epochs.
      second: a dataset of the second genre; all clips of each dataset then count.
      watcher: makes, of the held-out clips, what looks at the generators before training and after
        every `training.show_every` epochs.

    Returns:
      The JSON object of the command: run, epochs, labels, parameters, test_fold,
      examples_per_second (pairs of images), data_wait_fraction, seconds, metrics.

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or the run do not fit, or
        training breaks down.
    """
    training = config.training
    if second is not None and second.resolve() == dataset_folder.resolve():
        raise ConfigError(f"'{second}' is given as both genres; name a dataset of the second one")
    datasets = [dataset_folder] if second is None else [dataset_folder, second]
    loaded = {folder: records.load(folder) for folder in datasets}
    for folder, dataset in loaded.items():
        splits.check_clips(config, dataset, folder)
    labels = _labels(config, loaded)
    infos = [
        splits.split(dataset, folder, training.validate_on, test_fold)
        for folder, dataset in loaded.items()
    ]
    info = _joined(infos, labels)
    run = TranslationRun(run_folder, config, info)
    if not force:
        run.check_continues()

    def sides(folds: list[list[int]]) -> Sides:
        names = labels if second is None else (None, None)
        first, other = (
            Side(folder, loaded[folder], loaded[folder].fold_shards(own), name)
            for folder, own, name in zip(
                (datasets[0], datasets[-1]), (folds[0], folds[-1]), names, strict=True
            )
        )
        return first, other

    learnt_from = sides([each.training_folds for each in infos])
    held_out = None
    if info.validation_fold is not None:
        held_out = sides([[info.validation_fold] for _ in infos])
    steps = unpaired.steps_per_epoch(learnt_from, training.batch_size)
    validation = held_out and unpaired.evaluation_batches(held_out, config)
    watch = watcher(run, held_out) if watcher and held_out else None
    strategy = distribution.strategy()
    distribution.check_batch_size(training.batch_size, strategy.num_replicas_in_sync)
    keras.utils.set_random_seed(training.seed)
    with strategy.scope(), distribution.precision(training.mixed_precision):
        model = CycleGan(run.build_pair(), run.build_pair(), training, steps)
        # Only now that all has proved to fit: a folder of settings that do not is in the way.
        if force:
            run.clear()
        run.create()
        history = run.load_resume_state(model)
    first_epoch = len(history)
    if history:
        logger.info("'%s' has %d epochs already: going on", run_folder, first_epoch)
    if first_epoch < training.epochs:
        model.fit(
            unpaired.training_batches(learnt_from, config, first_epoch),
            epochs=training.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=steps,
            validation_data=validation,
            verbose=0,
            shuffle=False,
            callbacks=[
                callbacks.Throughput(training.batch_size),
                Vitality(history),
                callbacks.Keeper(run, model.generators, training, history),
                *([_watching(watch, model, training)] if watch else []),
                callbacks.Described(run),
                callbacks.StepProgress(progress, first_epoch),
                keras.callbacks.TensorBoard(run.events_path, write_graph=False),
            ],
        )
    result = _summary(run, model, history)
    write_json(run.metrics_path, result)
    return result


class Vitality(keras.callbacks.Callback):
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
    watch: Watch, model: CycleGan, training: TranslationTrainingConfig
) -> callbacks.Watching:
    return callbacks.Watching(
        lambda epochs: watch(model.generators, epochs), training.show_every, training.epochs
    )


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


def _summary(run: TranslationRun, model: CycleGan, history: list[callbacks.Row]) -> dict[str, Any]:
    row = history[-1]
    names = (name for name in row if name not in callbacks.OF_THE_MACHINE)
    return {
        "run": str(run.folder),
        "epochs": len(history),
        "labels": run.labels,
        "parameters": model.generators.count_params() + model.discriminators.count_params(),
        "test_fold": run.info.test_fold,
        **callbacks.speed(history),
        "metrics": {name: row[name] for name in names},
    }
