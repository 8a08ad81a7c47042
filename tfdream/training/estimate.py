"""Estimate of the duration and the memory of a training, after its first steps."""

import logging
import resource
import sys
import time

import keras

from tfdream.training.callbacks import Row

logger = logging.getLogger(__name__)

# The first steps build graphs and fill caches.
_IGNORED_STEPS = 3
_MEASURED_SECONDS = 10.0


class Estimate(keras.callbacks.Callback):
    """Logs once how long the remaining epochs will take and how much memory is used.

    The time of validation and of previews is unknown then, and not included.

    Args:
      first_epoch: number of epochs that earlier sessions finished.
      measured_seconds: time over which steps are counted; at the end of the first epoch, the steps
        until then are enough.
    """

    def __init__(self, first_epoch: int, measured_seconds: float = _MEASURED_SECONDS) -> None:
        super().__init__()
        self.first_epoch = first_epoch
        self.measured_seconds = measured_seconds
        self._steps = 0
        self._started: tuple[float, int] | None = None
        """Time and number of steps at the start of the measurement."""
        self._done = False

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        """Start the measurement again, so that it does not include a validation."""
        if self._started is not None:
            self._start()

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        """Count the step, and log the estimate when enough steps are measured."""
        if self._done:
            return
        self._steps += 1
        if self._steps == _IGNORED_STEPS:
            self._start()
        elif self._started is not None:
            time_before, steps_before = self._started
            seconds = time.perf_counter() - time_before
            is_last = batch + 1 == self.params["steps"]
            if seconds >= self.measured_seconds or is_last:
                self._log(seconds / (self._steps - steps_before))
                self._done = True

    def _start(self) -> None:
        self._started = time.perf_counter(), self._steps

    def _log(self, seconds_per_step: float) -> None:
        epochs = self.params["epochs"] - self.first_epoch
        remaining = epochs * self.params["steps"] - self._steps
        logger.info(
            "%s for the remaining steps of %d epochs, without validation; %.1f GB of memory so far",
            describe_duration(remaining * seconds_per_step),
            epochs,
            peak_memory_bytes() / 2**30,
        )


def peak_memory_bytes() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def describe_duration(seconds: float) -> str:
    """Return a duration in the unit that suits it.

    >>> [describe_duration(seconds) for seconds in (4, 100, 3000, 20000)]
    ['about 4 s', 'about 2 min', 'about 50 min', 'about 5.6 h']
    """
    if seconds < 60:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
