"""Batch normalization with the settings of other frameworks."""

from collections.abc import Callable
from typing import Any

from keras import layers

# Defaults of PyTorch, whose momentum of 0.1 is 0.9 in Keras.
PYTORCH_MOMENTUM = 0.9
PYTORCH_EPSILON = 1e-5
# Defaults of TensorFlow.
TENSORFLOW_MOMENTUM = 0.99
TENSORFLOW_EPSILON = 1e-3


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
        return layers.BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            center=affine,
            scale=affine,
            synchronized=True,
            name=name,
        )(x)

    return normalize
