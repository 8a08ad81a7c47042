"""What a classifier takes for what, counted while it is trained and validated."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Confusion(keras.metrics.Metric):
    """Counts clips by truth and guess; tells nothing to the logs, where numbers alone belong.

    Args:
      classes: number of labels.
    """

    def __init__(self, classes: int, name: str = "confusion", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.counts = self.add_variable((classes, classes), "zeros", name="counts")

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        """Count a batch.

        Args:
          y_true: one-hot `[batch, classes]`; of blends, the larger part.
          y_pred: logits or probabilities `[batch, classes]`.
          sample_weight: `[batch]`; what has none only fills up, and does not count.
        """
        truth, guess = tf.argmax(y_true, axis=1), tf.argmax(y_pred, axis=1)
        weight = tf.ones_like(truth) if sample_weight is None else sample_weight > 0
        counts = tf.math.confusion_matrix(
            truth, guess, self.classes, tf.cast(weight, self.dtype), self.dtype
        )
        self.counts.assign_add(counts)

    def result(self) -> dict[str, tf.Tensor]:
        """Nothing: see `matrix`."""
        return {}

    def matrix(self) -> np.ndarray:
        """Clips `[truth, guess]` since the last reset."""
        found: np.ndarray = keras.ops.convert_to_numpy(self.counts)
        return found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}
