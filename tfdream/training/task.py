"""The interface between the one training loop and the four kinds of experiments."""

import abc
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.runs import RunFolder, RunInfo
from tfdream.training import callbacks
from tfdream.training.callbacks import Row
from tfdream.training.distributed import Workers
from tfdream.training.timed_model import TimedModel

PreviewFn = Callable[[Any, int], None]
"""Shows the task's `TimedModel` after a number of epochs; 0 before training."""

PreviewFactory = Callable[[RunFolder, tuple[ClipSet, ...]], PreviewFn]
"""Makes a preview of a run from some of its clips."""


class Task(abc.ABC):
    """Trains one run.

    Args:
      run: the run's folder, configuration and folds.
      datasets: one dataset, or two for a translation between datasets.
      workers: processes that train together.

    Attributes:
      batch_size: clips of one batch, over all replicas.
      steps: batches of one epoch.
    """

    run: RunFolder
    run_type: ClassVar[type[RunFolder]]
    uses_data_service: ClassVar[bool] = False
    most_datasets: ClassVar[int] = 1
    batch_size: int
    steps: int

    @abc.abstractmethod
    def __init__(self, run: Any, datasets: Sequence[Dataset], workers: Workers) -> None: ...

    @classmethod
    @abc.abstractmethod
    def describe(cls, config: Any, datasets: Sequence[Dataset], test_fold: int | None) -> RunInfo:
        """Choose labels and folds.

        Raises:
          ConfigError, DatasetError: if the experiment and the datasets do not fit together.
        """

    @abc.abstractmethod
    def build(self) -> tuple[TimedModel, keras.Model]:
        """Build the compiled model for `fit`, and the network in it whose weights the run stores.

        It is called in the scope of the strategy.
        """

    def adapt(self, network: Any) -> None:
        """Store what follows from the training clips alone; called before the first epoch."""
        return

    @abc.abstractmethod
    def training_batches(self, first_epoch: int) -> tf.data.Dataset:
        """Stream this worker's slices of the training batches from an epoch on."""

    @abc.abstractmethod
    def validation_batches(self) -> tf.data.Dataset | None:
        """Make this worker's slices of the validation batches; None without validation."""

    def callbacks(self, history: list[Row]) -> list[keras.callbacks.Callback]:
        """Return callbacks that run before an epoch is stored."""
        return []

    @property
    @abc.abstractmethod
    def preview_sets(self) -> tuple[ClipSet, ...]:
        """The clips that previews show; empty for no preview."""

    @property
    def preview_every(self) -> int:
        """Epochs between previews."""
        return 1

    @property
    def facts(self) -> dict[str, Any]:
        """Keys of the result that only this task has."""
        return {}

    def count_parameters(self, network: keras.Model) -> int:
        """Return the number of weights of all networks."""
        return int(network.count_params())

    def summary(self, network: keras.Model, history: list[Row]) -> dict[str, Any]:
        """Return the result of training, with the metrics of the epoch whose weights are stored."""
        kept = callbacks.kept_epoch(history, self.run.config.training)
        return {
            "epochs": len(history),
            "kept_epoch": kept,
            **self.facts,
            "parameters": self.count_parameters(network),
            "test_fold": self.run.info.test_fold,
            **callbacks.throughput(history),
            "metrics": callbacks.learning_metrics(history[kept - 1]),
        }


def label_error(label: str, dataset: Dataset) -> str:
    """Return the message for a label that a dataset lacks."""
    return f"label '{label}' is not one of '{dataset.folder}': {', '.join(dataset.labels)}"
