"""Batch normalization with the settings of other frameworks."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

# Defaults of PyTorch, whose momentum of 0.1 is 0.9 in Keras.
PYTORCH_MOMENTUM = 0.9
PYTORCH_EPSILON = 1e-5
# Defaults of TensorFlow.
TENSORFLOW_MOMENTUM = 0.99
TENSORFLOW_EPSILON = 1e-3


@keras.saving.register_keras_serializable("tfdream")
class BatchNormalization(layers.BatchNormalization):
    """Keras' batch normalization over the last axis, trained by TensorFlow's fused operation.

    Keras composes it of a dozen operations, each of which passes over the activations. Outputs,
    gradients and moving statistics are equal up to float32 rounding. On several devices, whose
    statistics are synchronized, and in inference, where its factors are constants, Keras' own
    operations run.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Normalize float `[batch, …, channels]`."""
        context = tf.distribute.get_replica_context()
        is_fused = (training and self.trainable and mask is None) and (
            context is not None and context.num_replicas_in_sync == 1
        )
        if not is_fused:
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        scale = self.gamma.value if self.scale else tf.ones([channels])
        offset = self.beta.value if self.center else tf.zeros([channels])
        rows = tf.reshape(inputs, [-1, 1, 1, channels])
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=rows,
            scale=scale,
            offset=offset,
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
        )
        # That of the operation is unbiased, as the moving one is in PyTorch, but not in Keras.
        count = tf.cast(tf.shape(rows)[0], tf.float32)
        variance *= (count - 1) / count
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving.value * self.momentum + new * (1 - self.momentum))
        return tf.reshape(outputs, tf.shape(inputs))


NORMALIZATIONS = (layers.BatchNormalization, BatchNormalization)
"""The types of layers of batch normalization."""


def batch_normalization(
    momentum: float, epsilon: float = TENSORFLOW_EPSILON, affine: bool = True
) -> Callable[[Any, str], Any]:
    """Return a function that normalizes a tensor by a new layer with a name.

    Args:
      momentum: momentum of the moving statistics.
      epsilon: addition to the variance.
      affine: whether the layer has a gain and an offset for each channel.

    >>> import keras
    >>> normalize = batch_normalization(PYTORCH_MOMENTUM, PYTORCH_EPSILON)
    >>> normalize(keras.Input((8, 4)), "norm1").shape
    (None, 8, 4)
    """

    def normalize(x: Any, name: str) -> Any:
        return BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            center=affine,
            scale=affine,
            synchronized=True,
            name=name,
        )(x)

    return normalize
