"""The interface for progress reports of long computations."""

import math
from typing import Protocol


class ProgressFn(Protocol):
    """Receives the progress of a computation; returns True to request an early stop.

    Computations that cannot stop early ignore the returned value.
    """

    def __call__(
        self, done: int, total: int, value: float = math.nan, note: str = ""
    ) -> bool | None:
        """Report progress.

        Args:
          done: number of finished steps.
          total: number of all steps, as far as it is foreseeable.
          value: the optimized quantity at this step; NaN if there is none.
          note: further information for display.
        """


def no_progress(done: int, total: int, value: float = math.nan, note: str = "") -> None:
    """Ignore progress reports: the default `ProgressFn`."""
