"""One training session: from the start, or from where it was interrupted, to the last epoch."""

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfdream.config import BaseTrainingConfig, SupervisedTrainingConfig
from tfdream.datasets.service import report_lost_batches
from tfdream.errors import ConfigError
from tfdream.io.atomic import write_json
from tfdream.io.progress import ProgressFn
from tfdream.presets.card import FILE as CARD_FILE
from tfdream.runs import RunFolder
from tfdream.runs.named import is_run
from tfdream.training import callbacks, optimizers, timed_model
from tfdream.training.distributed import Workers
from tfdream.training.estimate import Estimate
from tfdream.training.task import Task
from tfdream.training.timed_model import TimedModel

logger = logging.getLogger(__name__)


class Batches(NamedTuple):
    """This process's slices of the batches for training, and for validation if there is one."""

    training: tf.data.Dataset
    validation: tf.data.Dataset | None


class Session:
    """The part of training that is the same for every task.

    Args:
      run: the run's folder and configuration.
      workers: processes that train together.
      force: replace a run in the folder instead of continuing it.
      progress: receives the finished steps and the steps of all epochs.

    Raises:
      ConfigError: if the folder contains another run, or one with a card that is to be replaced.
      ClusterError: if the workers have different settings.
    """

    def __init__(self, run: RunFolder, workers: Workers, force: bool, progress: ProgressFn) -> None:
        self.run = run
        self.workers = workers
        self.force = force
        self.progress = progress
        self.history: list[callbacks.Row] = []
        workers.agree(self._check_card if force else run.check_continues)
        machine_specific = {"dataset", "versions"}
        workers.check_same(
            run.config.model_dump_json() + run.info.model_dump_json(exclude=machine_specific)
        )

    def _check_card(self) -> None:
        card = self.run.folder / CARD_FILE
        if card.exists() and is_run(self.run.folder):
            raise ConfigError(
                f"'{card}' describes the network that --force replaces; move it to another folder, "
                "or delete it"
            )

    @contextmanager
    def building(self) -> Iterator[None]:
        """Set the strategy and the precision in which models are built and changed."""
        training = self.run.config.training
        with self.workers.strategy.scope(), timed_model.precision(training.mixed_precision):
            yield

    def restore(self, model: TimedModel) -> None:
        """Restore the state of an interrupted session; the run does not change."""
        if self.force:
            model.build_optimizers()
            return
        self.workers.broadcast_file(self.run.resume_path)
        self.history = self.run.load_resume_state(model)

    def begin(self) -> None:
        """Create or clear the folder, and store the settings.

        It is called after all checks and after the batches are built, so that a failed call neither
        leaves a folder behind nor removes a run.
        """
        if self.force:
            self.run.clear()
        self.run.metrics_path.unlink(missing_ok=True)
        self.run.create()  # the number of epochs may have changed
        if self.history:
            logger.info("continuing the run after %d epochs", len(self.history))

    @property
    def first_epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or early stopping ended the training."""
        training = self.run.config.training
        return self.first_epoch >= training.epochs or callbacks.out_of_patience(
            self.history, _patience(training)
        )

    def fit(
        self,
        model: TimedModel,
        network: keras.Model,
        task: Task,
        batches: Batches,
        previews: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        """Train up to the last epoch, and update the run folder after each.

        Args:
          model: the compiled model whose state `restore` restored.
          network: the network whose weights the run stores.
          task: steps of an epoch, and callbacks.
          batches: the task's batches from the first epoch on.
          previews: callbacks that run before an epoch is stored, and read whether it is the last.
        """
        training = self.run.config.training
        distribute = self.workers.distribute
        validation = batches.validation
        with report_lost_batches():
            model.fit(
                distribute(batches.training),
                epochs=training.epochs,
                initial_epoch=self.first_epoch,
                steps_per_epoch=task.steps,
                validation_data=None if validation is None else distribute(validation),
                verbose=0,
                shuffle=False,
                callbacks=[
                    callbacks.Throughput(task.batch_size),
                    *task.callbacks(self.history),
                    *self._schedules(),
                    callbacks.EpochHistory(network, training, self.history),
                    callbacks.EarlyStopping(self.history, _patience(training)),
                    *previews,
                    callbacks.LogConfig(self.run),
                    callbacks.StepProgress(self.progress, self.first_epoch),
                    Estimate(self.first_epoch),
                    callbacks.EpochCurves(self.run),
                    callbacks.RunCheckpoint(
                        self.run, network, training, self.history, self.workers.index
                    ),
                ],
            )

    def _schedules(self) -> Iterator[keras.callbacks.Callback]:
        training = self.run.config.training
        if isinstance(training, SupervisedTrainingConfig) and training.schedule == "plateau":
            rate = functools.partial(optimizers.plateau_rate, training)
            yield callbacks.PlateauSchedule(self.history, rate)

    def end(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the result to the run folder, unless it contains one, and return it."""
        if not self.run.metrics_path.exists():
            write_json(self.run.metrics_path, result)
        return result


def _patience(training: BaseTrainingConfig) -> int | None:
    """Epochs without a lower validation loss before early stopping; None for no limit."""
    return training.patience if isinstance(training, SupervisedTrainingConfig) else None
