"""Watching an optimisation: the loss of each step, in memory and in TensorBoard."""

from contextlib import nullcontext
from pathlib import Path

import tensorflow as tf


class LossCurve:
    """Collects losses; use as a context manager.

    Args:
      folder: where TensorBoard looks for events; None to write none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.losses: list[float] = []
        self._writer = tf.summary.create_file_writer(str(folder)) if folder else None

    def __enter__(self) -> "LossCurve":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, loss: float) -> None:
        """Note the loss of one more step."""
        with self._writer.as_default(len(self.losses)) if self._writer else nullcontext():
            tf.summary.scalar("loss", loss)
        self.losses.append(loss)
