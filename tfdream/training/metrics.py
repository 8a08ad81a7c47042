"""Keras metrics: the confusion matrix with the macro F1, and the spread of translations."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Confusion(keras.metrics.Metric):
    """Counts clips by true and predicted label; the logs show the macro F1 of the counts.

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
        """Return ``macro_f1``, the mean F1 of the labels that occur in the truth or predictions."""
        right = tf.linalg.diag_part(self.counts)
        total = tf.reduce_sum(self.counts, axis=0) + tf.reduce_sum(self.counts, axis=1)
        sum_f1 = tf.reduce_sum(2 * right / tf.maximum(total, 1))
        return {"macro_f1": sum_f1 / tf.maximum(tf.math.count_nonzero(total, dtype=self.dtype), 1)}

    def matrix(self) -> NDArray[np.float32]:
        """Return the number of clips `[truth, predicted]` since the last reset."""
        counts: NDArray[np.float32] = keras.ops.convert_to_numpy(self.counts)
        return counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}


class Spread(keras.metrics.Metric):
    """Variation of translations over images, relative to the variation of real images.

    It is the square root of the ratio of the variances over images, averaged over pixels. A
    generator that returns the same image for every input has 0: it has collapsed.

    Args:
      shape: shape of an image.
      name: name of the metric.
    """

    def __init__(self, shape: tuple[int, ...], name: str) -> None:
        super().__init__(name=name)
        self.count = self.add_variable((), "zeros", name="count")
        self.sums = self.add_variable((2, *shape), "zeros", name="sums")
        self.squares = self.add_variable((2,), "zeros", name="squares")

    def update_state(self, translated: tf.Tensor, real: tf.Tensor) -> None:
        """Add a batch of translations and of real images."""
        images = tf.stack([translated, real])
        self.count.assign_add(tf.cast(tf.shape(translated)[0], tf.float32))
        self.sums.assign_add(tf.reduce_sum(images, axis=1))
        self.squares.assign_add(tf.reduce_mean(tf.reduce_sum(images**2, axis=1), axis=[1, 2, 3]))

    def result(self) -> tf.Tensor:
        """Return the ratio; 0 for a single image."""
        count = tf.maximum(self.count, 1.0)
        means = tf.reduce_mean((self.sums / count) ** 2, axis=[1, 2, 3])
        variances = tf.maximum(self.squares / count - means, 0.0)
        return tf.sqrt(tf.math.divide_no_nan(variances[0], variances[1]))
