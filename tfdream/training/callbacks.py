"""What happens around each epoch: measuring, saving, stopping, saying so."""

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
from tfdream.training.timed_model import FitModel

logger = logging.getLogger(__name__)

Row = dict[str, float]

MACHINE_COLUMNS = ("epoch", "seconds", "examples_per_second", "data_wait_fraction")


class Throughput(keras.callbacks.Callback):
    """Adds seconds, examples_per_second and data_wait_fraction to each epoch's logs.

    Place it before the callbacks that read them. Validation does not count.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.model: FitModel

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Start the clock."""
        self.started = time.perf_counter()
        self.seconds: float | None = None
        self.steps = 0
        self.model.data_wait_seconds = 0.0

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        """Count."""
        self.steps += 1

    def on_test_begin(self, logs: Row | None = None) -> None:
        """Stop the clock when validation begins."""
        self._stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Stop the clock where there is no validation, and report."""
        seconds = self._stop()
        logs["seconds"] = seconds
        logs["examples_per_second"] = self.steps * self.batch_size / seconds
        logs["data_wait_fraction"] = self.model.data_wait_seconds / seconds

    def _stop(self) -> float:
        if self.seconds is None:
            self.seconds = time.perf_counter() - self.started
        return self.seconds


class RunCheckpoint(keras.callbacks.Callback):
    """Keeps the run folder up to date after every epoch.

    Each of its files is replaced as a whole; the resume state comes last, so that a process killed
    in between repeats the epoch and writes the same files again.

    Args:
      run: whose folder it is.
      network: whose weights the run keeps.
      config: of the training.
      history: a row per epoch so far; it is added to.
      best: keep the weights of the lowest validation loss instead of the last ones.
      worker: the number of this one among those that train together.
    """

    def __init__(
        self,
        run: RunFolder,
        network: keras.Model,
        config: BaseTrainingConfig,
        history: list[Row],
        best: bool = False,
        worker: int = 0,
    ) -> None:
        super().__init__()
        self.run = run
        self.network = network
        self.config = config
        self.history = history
        self.best = best
        # Each worker drops other units of its clips.
        self.seed = (config.seed + worker) % 2**32

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Let dropout depend on the seed and the epoch alone, so that it can be resumed."""
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":
                variable.assign([self.seed, epoch])

    def on_epoch_end(self, epoch: int, logs: Row) -> None:
        """Save, and say so."""
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        # The last step may have ruined the weights without a loss that shows it.
        sound = all(np.isfinite(weight).all() for weight in self.network.get_weights())
        if not (sound and math.isfinite(row["loss"])):
            raise ModelError(
                f"the loss is {row['loss'] if sound else math.nan} after epoch {epoch + 1}; lower "
                f"training.learning_rate={self.config.learning_rate:g} (what earlier epochs learnt "
                "is kept)"
            )
        self.history.append(row)
        if not self.best or best_epoch(self.history) == row["epoch"]:
            self.run.save_weights(self.network)
        write_csv(self.run.history_path, self.history)
        self.run.save_resume_state(self.model, self.history)
        logger.info(_told(row, self.config.epochs))


class EarlyStopping(keras.callbacks.Callback):
    """Stops when the validation loss has not been lower for some epochs.

    Args:
      history: a row per epoch, which `RunCheckpoint` adds to before.
      epochs: so many; None to go on for ever.
    """

    def __init__(self, history: list[Row], epochs: int | None) -> None:
        super().__init__()
        self.history = history
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Row) -> None:
        """Stop, if it is time."""
        if out_of_patience(self.history, self.epochs):
            logger.info("no lower validation loss for %d epochs: stopped", self.epochs)
            self.model.stop_training = True


class PreviewCallback(keras.callbacks.Callback):
    """Lets somebody look: before the first epoch, after every so many, and after the last.

    Args:
      look: hears the number of epochs done.
      every: so many epochs.
      last: the number of all.
    """

    def __init__(self, look: Callable[[int], None], every: int, last: int) -> None:
        super().__init__()
        self.look = look
        self.every = every
        self.last = last

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Look at what is not trained yet."""
        if epoch == 0:
            self.look(0)

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        """Look, if it is time."""
        done = epoch + 1
        if done % self.every == 0 or done == self.last:
            self.look(done)


class LogConfig(keras.callbacks.Callback):
    """Shows a run's configuration in TensorBoard."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.run = run

    def on_train_begin(self, logs: Row | None = None) -> None:
        """Write it, as the code that it is."""
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
        """Count the epochs that an earlier call did."""
        self.done = self.first_epoch * self.params["steps"]

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        """One more."""
        self.done += 1
        self.progress(self.done, self.params["epochs"] * self.params["steps"])


def best_epoch(history: list[Row]) -> int:
    """The epoch of the lowest validation loss, or the last one where nothing was validated."""
    if "val_loss" not in history[-1]:
        return int(history[-1]["epoch"])
    return int(min(history, key=lambda row: row["val_loss"])["epoch"])


def out_of_patience(history: list[Row], epochs: int | None) -> bool:
    """Whether the validation loss has not been lower for so many epochs; None waits for ever."""
    if not history or epochs is None:
        return False
    return len(history) - best_epoch(history) >= epochs


def speed(history: list[Row]) -> dict[str, float]:
    """Of a training: examples_per_second, data_wait_fraction (medians of the epochs), seconds."""
    # The first epoch includes building the graph.
    steady = history[1:] or history
    return {
        **{
            name: statistics.median(row[name] for row in steady)
            for name in ("examples_per_second", "data_wait_fraction")
        },
        "seconds": sum(row["seconds"] for row in history),
    }


def _told(row: Row, epochs: int) -> str:
    parts = [f"epoch {row['epoch']:.0f}/{epochs}"]
    learnt = (name for name in row if name not in MACHINE_COLUMNS)
    parts += [f"{name.replace('_', ' ')} {row[name]:.4f}" for name in learnt]
    parts.append(f"{row['examples_per_second']:.0f} clips/s")
    parts.append(f"{row['data_wait_fraction']:.1%} waiting for data")
    return ", ".join(parts)
