"""One training from its start, or from where it was interrupted, to its end."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfdream.config import BaseTrainingConfig, SupervisedTrainingConfig
from tfdream.datasets.service import report_lost_batches
from tfdream.io.atomic import write_json
from tfdream.io.progress import ProgressFn
from tfdream.runs import RunFolder
from tfdream.training import callbacks, timed_model
from tfdream.training.distributed import Workers

logger = logging.getLogger(__name__)


class Batches(NamedTuple):
    """What is learnt from.

    Attributes:
      portions: this worker's of every batch, from the first epoch that is not done on.
      size: of a batch, of all workers together.
      steps: of an epoch.
    """

    portions: tf.data.Dataset
    size: int
    steps: int


class Session:
    """What every training does, whatever it fits.

    Args:
      run: where its result goes.
      workers: that train together.
      force: start anew where the folder holds a run already.
      progress: receives the finished steps and the steps of all epochs.

    Raises:
      ConfigError: if the folder holds another run.
      ClusterError: if the workers were not started alike.
    """

    def __init__(
        self,
        run: RunFolder,
        workers: Workers,
        force: bool,
        progress: ProgressFn,
    ) -> None:
        self.run = run
        self.workers = workers
        self.force = force
        self.progress = progress
        self.history: list[callbacks.Row] = []
        if not force:
            workers.agree(run.check_continues)
        of_this_machine = {"dataset", "versions"}
        workers.check_same(
            run.config.model_dump_json() + run.info.model_dump_json(exclude=of_this_machine)
        )

    @contextmanager
    def building(self) -> Iterator[None]:
        """Where networks and what fits them are to be made."""
        training = self.run.config.training
        keras.utils.set_random_seed(training.seed)
        with self.workers.strategy.scope(), timed_model.precision(training.mixed_precision):
            yield

    def begin(self, model: timed_model.FitModel) -> None:
        """Make the folder, and bring the model to where an earlier call left it.

        Call it when all has proved to fit: a folder of settings that do not is in the way.
        """
        if self.force:
            self.run.clear()
        self.run.create()  # the number of epochs may have grown
        self.workers.broadcast_file(self.run.resume_path)
        self.history = self.run.load_resume_state(model)
        if self.history:
            logger.info("the run has %d epochs already: going on", len(self.history))

    @property
    def first_epoch(self) -> int:
        """How many are done."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or no more would help."""
        training = self.run.config.training
        return self.first_epoch >= training.epochs or callbacks.out_of_patience(
            self.history, _patience(training)
        )

    def fit(
        self,
        model: timed_model.FitModel,
        network: keras.Model,
        batches: Batches,
        validation: tf.data.Dataset | None,
        before: Sequence[keras.callbacks.Callback] = (),
        after: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        """Train up to the last epoch, and keep the run folder up to date.

        Args:
          model: that `begin` has seen.
          network: whose weights the run keeps.
          batches: to learn from.
          validation: this worker's portions of what is held out.
          before: what happens before an epoch is kept.
          after: and after.
        """
        training = self.run.config.training
        distribute = self.workers.distribute
        with report_lost_batches():
            model.fit(
                distribute(batches.portions),
                epochs=training.epochs,
                initial_epoch=self.first_epoch,
                steps_per_epoch=batches.steps,
                validation_data=None if validation is None else distribute(validation),
                verbose=0,
                shuffle=False,
                callbacks=[
                    callbacks.Throughput(batches.size),
                    *before,
                    callbacks.RunCheckpoint(
                        self.run,
                        network,
                        training,
                        self.history,
                        best=isinstance(training, SupervisedTrainingConfig)
                        and training.checkpoint == "best",
                        worker=self.workers.index,
                    ),
                    callbacks.EarlyStopping(self.history, _patience(training)),
                    *after,
                    callbacks.LogConfig(self.run),
                    callbacks.StepProgress(self.progress, self.first_epoch),
                    keras.callbacks.TensorBoard(self.run.events_path, write_graph=False),
                ],
            )

    def end(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the result down, and give it back."""
        write_json(self.run.metrics_path, result)
        return result


def _patience(training: BaseTrainingConfig) -> int | None:
    """Epochs without a lower validation loss that are waited for; None for ever."""
    return training.patience if isinstance(training, SupervisedTrainingConfig) else None
