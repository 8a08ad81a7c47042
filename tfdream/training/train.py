"""`train`: the entry point of training for every kind of experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfdream.config import BaseExperiment
from tfdream.datasets import manifest
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.read_errors import report_damaged_shards
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import RunInfo
from tfdream.training import splits
from tfdream.training.callbacks import PreviewCallback
from tfdream.training.classification import ClassificationTask
from tfdream.training.distributed import SINGLE_MACHINE, ClusterConfig
from tfdream.training.generation import GenerationTask
from tfdream.training.session import Batches, Session
from tfdream.training.task import PreviewFactory, Task
from tfdream.training.transfer import TransferTask
from tfdream.training.translation import TranslationTask

TASKS: dict[str, type[Task]] = {
    "classify": ClassificationTask,
    "translate": TranslationTask,
    "generate": GenerationTask,
    "transfer": TransferTask,
}
"""Tasks of all kinds of experiments, by the key `task` of their configuration."""


@dataclass(frozen=True)
class TrainOptions:
    """Options of `train`.

    Attributes:
      test_fold: the fold that is held out; None to train on every fold.
      force: replace a run in the folder instead of continuing it.
      second_dataset: dataset of the second label of a translation, if the first dataset contains
        the first label alone.
      cluster: machines that train together.
    """

    test_fold: int | None = 0
    force: bool = False
    second_dataset: str | Path | None = None
    cluster: ClusterConfig = SINGLE_MACHINE


DEFAULTS = TrainOptions()


def train(
    config: BaseExperiment,
    dataset: str | Path,
    run: str | Path,
    options: TrainOptions = DEFAULTS,
    progress: ProgressFn = no_progress,
    preview: PreviewFactory | None = None,
) -> dict[str, Any]:
    """Train a network on a dataset, or continue an interrupted training exactly.

    Args:
      config: the experiment: frontend, model and training.
      dataset: folder that `prepare` wrote with the same sample rate and clip length.
      run: folder of the result; a run with the same settings in it is continued.
      options: held-out fold, second dataset, machines.
      progress: receives the finished steps and the steps of all epochs.
      preview: makes a function that shows the model before training and every few epochs.

    Returns:
      The JSON object of the command: run, epochs, kept_epoch (the number, from 1 on, of the epoch
      whose weights are stored), parameters, test_fold, examples_per_second, data_wait_fraction,
      seconds, metrics (those of the kept epoch), and further keys of the task.

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or the run do not fit
        together, or the loss is not finite.
      ClusterError: if another machine stops before this one.
    """
    task_type = TASKS[config.task]
    folders = [Path(dataset)]
    if options.second_dataset is not None:
        folders.append(Path(options.second_dataset))
    if len(folders) > task_type.most_datasets:
        raise ConfigError(
            f"a second dataset ('{folders[1]}') is used by translations only; remove it, or use a "
            "configuration with task=translate"
        )
    if options.cluster.data_service is not None and not task_type.uses_data_service:
        raise ConfigError(
            f"--data-service={options.cluster.data_service} makes batches for classifiers only; "
            "remove it"
        )
    with options.cluster.joined(Path(run)) as workers:
        datasets = [manifest.load(folder) for folder in folders]
        info = describe(config, datasets, options.test_fold)
        run_folder = task_type.run_type(workers.folder, config, info)
        session = Session(run_folder, workers, options.force, progress)
        with report_damaged_shards(datasets):
            task = task_type(run_folder, datasets, workers)
            result = _fit(task, session, preview)
        return session.end({"run": str(run), **result})


def describe(config: BaseExperiment, datasets: Sequence[Dataset], test_fold: int | None) -> RunInfo:
    """Return the labels and folds that a training with a held-out fold would have.

    Raises:
      ConfigError, DatasetError: if the settings and the datasets do not fit together.
    """
    for dataset in datasets:
        splits.check_clips(config, dataset)
    return TASKS[config.task].describe(config, datasets, test_fold)


def _fit(task: Task, session: Session, preview: PreviewFactory | None) -> dict[str, Any]:
    session.workers.check_batch_size(task.batch_size)
    with session.building():
        keras.utils.set_random_seed(session.run.config.training.seed)
        model, network = task.build()
        session.restore(model)
    if not session.finished:
        batches = Batches(task.training_batches(session.first_epoch), task.validation_batches())
        with session.building():
            session.begin()
            if not session.history:
                task.adapt(network)
        previews = []
        if preview is not None and task.preview_sets:
            show = preview(session.run, task.preview_sets)
            epochs = session.run.config.training.epochs
            previews.append(PreviewCallback(show, task.preview_every, epochs))
        session.fit(model, network, task, batches, previews)
    return task.summary(network, session.history)
