"""Keras callbacks: throughput, checkpoints, early stopping, previews, progress."""

import logging
import math
import statistics
import textwrap
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import BaseTrainingConfig
from tfdream.errors import ModelError
from tfdream.io.atomic import write_csv
from tfdream.io.progress import ProgressFn
from tfdream.runs import RunFolder
from tfdream.training.timed_model import TimedModel

logger = logging.getLogger(__name__)

Row = dict[str, float]

MACHINE_COLUMNS = ("epoch", "seconds", "examples_per_second", "data_wait_fraction")


class Throughput(keras.callbacks.Callback):
    """Adds seconds, examples_per_second and data_wait_fraction to each epoch's logs.

    It runs before the callbacks that read them. The time of validation is not included.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.model: TimedModel

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Start the timer."""
        self.started = time.perf_counter()
        self.seconds: float | None = None
        self.steps = 0
        self.model.data_wait_seconds = 0.0

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        """Count the step."""
        self.steps += 1

    def on_test_begin(self, logs: Row | None = None) -> None:
        """Stop the timer when validation begins."""
        self._stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Stop the timer if there is no validation, and add the columns."""
        seconds = self._stop()
        logs["seconds"] = seconds
        logs["examples_per_second"] = self.steps * self.batch_size / seconds
        logs["data_wait_fraction"] = self.model.data_wait_seconds / seconds

    def _stop(self) -> float:
        if self.seconds is None:
            self.seconds = time.perf_counter() - self.started
        return self.seconds


class EpochHistory(keras.callbacks.Callback):
    """Appends a row to the history after every epoch, and logs it.

    It runs before the callbacks that read the history.

    Args:
      network: the network whose weights the run stores.
      config: training settings.
      history: a row per finished epoch.
    """

    def __init__(
        self, network: keras.Model, config: BaseTrainingConfig, history: list[Row]
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.history = history

    def on_epoch_end(self, epoch: int, logs: Row) -> None:
        """Append the row.

        Raises:
          ModelError: if a loss, another measure or a weight is not finite.
        """
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        if problem := self._find_not_finite(row):
            raise ModelError(
                f"{problem} after epoch {epoch + 1}; lower "
                f"training.learning_rate={self.config.learning_rate:g} (the "
                "state of earlier epochs is stored)"
            )
        self.history.append(row)
        logger.info(_format_row(row, self.config.epochs))

    def _find_not_finite(self, row: Row) -> str:
        """Return which value of an epoch is not finite; empty if all are."""
        for name, value in row.items():
            if not math.isfinite(value):
                return f"the {name.replace('_', ' ')} is {value}"
        # The last step may produce invalid weights that no loss was computed from.
        if not all(np.isfinite(weight).all() for weight in self.network.get_weights()):
            return "a weight is not finite"
        return ""


class RunCheckpoint(keras.callbacks.Callback):
    """Updates the run folder after every epoch.

    Every file is replaced atomically. The resume state is written last, so that a process killed
    in between repeats the epoch and writes the same files again. This callback runs after those
    that write curves, previews and scores, so that these are complete for every stored epoch.

    Args:
      run: the run folder.
      network: the network whose weights the run stores.
      config: training settings.
      history: a row per finished epoch; `EpochHistory` appends to it first.
      worker: index of this process among those that train together.
    """

    def __init__(
        self,
        run: RunFolder,
        network: keras.Model,
        config: BaseTrainingConfig,
        history: list[Row],
        worker: int = 0,
    ) -> None:
        super().__init__()
        self.run = run
        self.network = network
        self.config = config
        self.history = history
        self.worker = worker

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Seed the masks of dropout, so that they do not depend on earlier epochs.

        Workers, epochs, layers and devices draw different masks: Keras increments the second number
        of a state with every draw, so they differ in the first one.
        """
        states = (each for each in self.model.variables if each.name == "seed_generator_state")
        of_devices = self.model.distribute_strategy.experimental_local_results
        for number, state in enumerate(states):
            for device, variable in enumerate(of_devices(state.value)):
                key = [self.config.seed, self.worker, epoch, number]
                sequence = np.random.SeedSequence(key, spawn_key=(device,) if device else ())
                seed = sequence.generate_state(1)[0]
                variable.assign(tf.constant([seed, 0], variable.dtype))

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        """Store the epoch."""
        if kept_epoch(self.history, self.config) == self.history[-1]["epoch"]:
            self.run.save_weights(self.network)
        write_csv(self.run.history_path, self.history)
        self.run.save_resume_state(self.model, self.history)


class EarlyStopping(keras.callbacks.Callback):
    """Stops training when the validation loss has not decreased for some epochs.

    Args:
      history: a row per finished epoch; `EpochHistory` appends to it first.
      patience: number of epochs; None never stops.
    """

    def __init__(self, history: list[Row], patience: int | None) -> None:
        super().__init__()
        self.history = history
        self.patience = patience

    def on_epoch_end(self, epoch: int, logs: Row) -> None:
        """Stop if the limit is reached."""
        if out_of_patience(self.history, self.patience):
            logger.info("no lower validation loss for %d epochs: stopped", self.patience)
            self.model.stop_training = True


class PlateauSchedule(keras.callbacks.Callback):
    """Sets the learning rate of each epoch and adds it to the logs.

    The rate depends on the validation losses alone, so that training resumes exactly. This callback
    runs before those that store the logs.

    Args:
      history: a row per finished epoch; `EpochHistory` appends to it.
      rate: returns the learning rate after epochs with some validation losses.
    """

    def __init__(self, history: list[Row], rate: Callable[[list[float]], float]) -> None:
        super().__init__()
        self.history = history
        self.rate = rate

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Set the rate."""
        self.model.optimizer.learning_rate = self.rate([row["val_loss"] for row in self.history])

    def on_epoch_end(self, epoch: int, logs: Row) -> None:
        """Add the rate of this epoch."""
        logs["learning_rate"] = self.rate([row["val_loss"] for row in self.history])


class PreviewCallback(keras.callbacks.Callback):
    """Shows the model before the first epoch, after every few epochs and after the last.

    It runs after `EarlyStopping`, which may make any epoch the last one.

    Args:
      show: receives the model and the number of finished epochs.
      every: epochs between previews.
      last: number of all epochs.
    """

    def __init__(self, show: Callable[[TimedModel, int], None], every: int, last: int) -> None:
        super().__init__()
        self.show = show
        self.every = every
        self.last = last

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Show the untrained model."""
        if epoch == 0:
            self.show(self.model, 0)

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        """Show the model if the epoch is due."""
        done = epoch + 1
        if done % self.every == 0 or done == self.last or self.model.stop_training:
            self.show(self.model, done)


class EpochCurves(keras.callbacks.TensorBoard):
    """Writes the logs of each epoch to TensorBoard; the first one is 1, as in the history."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__(run.events_path, write_graph=False)

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        """Write the logs of an epoch."""
        super().on_epoch_end(epoch + 1, logs)


class LogConfig(keras.callbacks.Callback):
    """Writes a run's configuration to TensorBoard."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run

    def on_train_begin(self, logs: Row | None = None) -> None:
        """Write it as preformatted text."""
        code = textwrap.indent(self.run.config_path.read_text(encoding="utf-8"), "    ")
        with tf.summary.create_file_writer(str(self.run.events_path / "train")).as_default(0):
            tf.summary.text("configuration", code)


class StepProgress(keras.callbacks.Callback):
    """Reports the finished steps and the steps of all epochs to `progress`."""

    def __init__(self, progress: ProgressFn, first_epoch: int) -> None:
        super().__init__()
        self.progress = progress
        self.first_epoch = first_epoch
        self.done = 0

    def on_train_begin(self, logs: Row | None = None) -> None:
        """Include the epochs of earlier sessions."""
        self.done = self.first_epoch * self.params["steps"]

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        """Report the step."""
        self.done += 1
        self.progress(self.done, self.params["epochs"] * self.params["steps"])


def best_epoch(history: list[Row]) -> int:
    """Return the epoch of the lowest validation loss; without validation, the last epoch."""
    if "val_loss" not in history[-1]:
        return int(history[-1]["epoch"])
    return int(min(history, key=lambda row: row["val_loss"])["epoch"])


def kept_epoch(history: list[Row], training: BaseTrainingConfig) -> int:
    """Return the epoch whose weights the run stores."""
    return best_epoch(history) if training.keeps_best else len(history)


def out_of_patience(history: list[Row], patience: int | None) -> bool:
    """Return whether the validation loss has not decreased for `patience` epochs; None: never."""
    if not history or patience is None:
        return False
    return len(history) - best_epoch(history) >= patience


def throughput(history: list[Row]) -> dict[str, float]:
    """Return examples_per_second and data_wait_fraction (medians over epochs) and total seconds."""
    # The first epoch includes the construction of the graph.
    steady = history[1:] or history
    return {
        **{
            name: statistics.median(row[name] for row in steady)
            for name in ("examples_per_second", "data_wait_fraction")
        },
        "seconds": sum(row["seconds"] for row in history),
    }


def learning_metrics(row: Row) -> Row:
    """Return an epoch's losses and metrics, without what depends on the machine's speed."""
    return {name: value for name, value in row.items() if name not in MACHINE_COLUMNS}


def _format_row(row: Row, epochs: int) -> str:
    parts = [f"epoch {row['epoch']:.0f}/{epochs}"]
    metrics = learning_metrics(row)
    parts += [f"{name.replace('_', ' ')} {_format(value)}" for name, value in metrics.items()]
    parts.append(f"{row['examples_per_second']:.0f} clips/s")
    parts.append(f"{row['data_wait_fraction']:.1%} waiting for data")
    return ", ".join(parts)


def _format(value: float) -> str:
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"
