"""One training from its start, or from where it was interrupted, to its end."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfdream.datasets.service import told_of_lost_batches
from tfdream.files import write_json
from tfdream.training import callbacks, distribution
from tfdream.training.runs import RunFolder
from tfdream.training.workers import Workers

logger = logging.getLogger(__name__)


class Session:
    """What every training does, whatever it fits.

    Args:
      run: where its result goes.
      workers: that train together.
      force: start anew where the folder holds a run already.
      progress: hears the steps done and the steps of all epochs.

    Raises:
      ConfigError: if the folder holds another run.
      ClusterError: if the workers were not started alike.
    """

    def __init__(
        self,
        run: RunFolder,
        workers: Workers,
        force: bool,
        progress: Callable[[int, int], None],
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
        with self.workers.strategy.scope(), distribution.precision(training.mixed_precision):
            yield

    def begin(self, model: distribution.FitModel) -> None:
        """Make the folder, and bring the model to where an earlier call left it.

        Call it when all has proved to fit: a folder of settings that do not is in the way.
        """
        if self.force:
            self.run.clear()
        self.run.create()  # the number of epochs may have grown
        self.workers.copy_from_chief(self.run.resume_path)
        self.history = self.run.load_resume_state(model)
        if self.history:
            logger.info("the run has %d epochs already: going on", len(self.history))

    @property
    def first_epoch(self) -> int:
        """How many are done."""
        return len(self.history)

    def fit(
        self,
        model: distribution.FitModel,
        batches: tf.data.Dataset,
        steps: int,
        validation: tf.data.Dataset | None,
        own_callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """Train up to the last epoch, and keep the run folder up to date.

        Args:
          model: that `begin` has seen.
          batches: this worker's portions, from `first_epoch` on.
          steps: of an epoch.
          validation: this worker's portions of what is held out.
          own_callbacks: in their order, among them a `Keeper`.
        """
        training = self.run.config.training
        distribute = self.workers.distribute
        with told_of_lost_batches():
            model.fit(
                distribute(batches),
                epochs=training.epochs,
                initial_epoch=self.first_epoch,
                steps_per_epoch=steps,
                validation_data=None if validation is None else distribute(validation),
                verbose=0,
                shuffle=False,
                callbacks=[
                    *own_callbacks,
                    callbacks.Described(self.run),
                    callbacks.StepProgress(self.progress, self.first_epoch),
                    keras.callbacks.TensorBoard(self.run.events_path, write_graph=False),
                ],
            )

    def end(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the result down, and give it back."""
        write_json(self.run.metrics_path, result)
        return result
