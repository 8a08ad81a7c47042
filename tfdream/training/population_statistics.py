"""Statistics of batch normalization over all training clips, instead of moving averages."""

from typing import Any

import keras
import tensorflow as tf

from tfdream.models.normalization_statistics import NormalizationStatistics


class PopulationStatistics(keras.callbacks.Callback):
    """Sets the statistics of batch normalization after every epoch, before its validation.

    Mean and variance of every batch normalization become those of its input over all training
    clips. The time that it takes is counted as validation.

    Args:
      batches: the inputs float32 `[batch, …]` of all training clips, iterated once for each layer.

    Source: "Music Style Classification and Transformation", section 4.2.1.
    """

    def __init__(self, batches: tf.data.Dataset) -> None:
        super().__init__()
        self.batches = batches
        self._statistics: NormalizationStatistics | None = None
        self._done = False

    def set_model(self, model: keras.Model) -> None:
        """Build the functions that compute the statistics, once for all epochs."""
        super().set_model(model)
        self._statistics = NormalizationStatistics(model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Make the statistics of the previous epoch invalid."""
        self._done = False

    def on_test_begin(self, logs: Any = None) -> None:
        """Compute the statistics before the validation."""
        self.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compute the statistics if there is no validation."""
        self.update()

    def update(self) -> None:
        """Set the statistics of all layers, once in an epoch."""
        if not self._done and self._statistics is not None:
            self._statistics.update(self.batches)
            self._done = True
