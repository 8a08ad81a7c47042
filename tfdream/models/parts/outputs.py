"""The last layers of classifiers."""

from typing import Any

import keras
from keras import layers


def add_outputs(
    x: Any, classes: int, multi_label: bool = False, initializer: Any = "glorot_uniform"
) -> Any:
    """Add the layers ``logits`` and ``probabilities`` to a network.

    Args:
      x: symbolic tensor `[batch, features]`.
      classes: number of labels.
      multi_label: labels are independent of each other and have a sigmoid each; otherwise one label
        applies to a clip, and probabilities sum to one (softmax).
      initializer: initializer of the weights of ``logits``.
    """
    logits = layers.Dense(classes, kernel_initializer=initializer, name="logits", dtype="float32")(
        x
    )
    if multi_label:
        return layers.Activation("sigmoid", name="probabilities", dtype="float32")(logits)
    return layers.Softmax(name="probabilities", dtype="float32")(logits)


def logits_loss(model: keras.Model, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Return the cross-entropy between labels and the logits of a classifier.

    It is computed from the logits, because the logarithm of a softmax is less precise. If labels
    are independent, it is the mean of the binary cross-entropies of all labels.
    """
    losses = keras.losses
    independent = is_multi_label(model)
    loss_type = losses.BinaryCrossentropy if independent else losses.CategoricalCrossentropy
    return loss_type(from_logits=True, label_smoothing=label_smoothing)


def is_multi_label(model: keras.Model) -> bool:
    """Return whether the labels of a classifier are independent of each other.

    >>> features = keras.Input((4,))
    >>> model = keras.Model(features, add_outputs(features, classes=3, multi_label=True))
    >>> is_multi_label(model)
    True
    """
    return not isinstance(model.get_layer("probabilities"), layers.Softmax)
