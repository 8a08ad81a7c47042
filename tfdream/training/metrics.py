"""The confusion matrix as a Keras metric."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Confusion(keras.metrics.Metric):
    """Counts clips by true and predicted label. It adds nothing to the logs, which hold scalars.

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
        """Count the clips of a batch.

        Args:
          y_true: one-hot `[batch, classes]`; mixed examples count as their larger part.
          y_pred: logits or probabilities `[batch, classes]`.
          sample_weight: `[batch]`; clips of weight 0 are not counted.
        """
        truth, predicted = tf.argmax(y_true, axis=1), tf.argmax(y_pred, axis=1)
        weight = tf.ones_like(truth) if sample_weight is None else sample_weight > 0
        counts = tf.math.confusion_matrix(
            truth, predicted, self.classes, tf.cast(weight, self.dtype), self.dtype
        )
        self.counts.assign_add(counts)

    def result(self) -> dict[str, tf.Tensor]:
        """Return no scalars; `matrix` returns the counts."""
        return {}

    def matrix(self) -> NDArray[np.float32]:
        """Return the number of clips `[truth, predicted]` since the last reset."""
        counts: NDArray[np.float32] = keras.ops.convert_to_numpy(self.counts)
        return counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}
