"""Smaller networks whose last layer has other features with the same inner products.

A style transfer compares Gram matrices. The distance of two Gram matrices does not change if the
features of both are rotated. A linear layer with more features than inputs maps to a subspace, so a
rotation exists after which all features but as many as there are inputs are zero: with the rows of
W the weights of the inputs and the bias, W = LQ, where L is lower triangular and QQᵀ = 1, and L has
the inner products of W. As L is triangular, many of its products need not be computed either.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray


def reduce_features(model: keras.Model) -> keras.Model:
    """Replace the last layer by a smaller one with the same inner products of its features.

    Args:
      model: functional model; its last layer is a linear dense layer or convolution over time with
        a stride of 1.

    Returns:
      A model with fewer features, whose last layer has the same name; `model` itself if its last
      layer is of another kind, or has no more features than inputs.

    >>> frames = keras.Input((20, 3))
    >>> model = keras.Model(frames, layers.Conv1D(100, 5, padding="same", name="conv1")(frames))
    >>> reduced = reduce_features(model)
    >>> reduced.layers[-1].name, reduced.output.shape
    ('conv1', (None, 20, 16))
    >>> image = np.random.default_rng(0).random((1, 20, 3))
    >>> before, after = (network(image)[0].numpy() for network in (model, reduced))
    >>> np.allclose(before @ before.T, after @ after.T, atol=1e-5)
    True
    """
    layer = model.layers[-1]
    if not _is_linear(layer) or layer.output is not model.output:
        return model
    kernel, *biases = (weight.astype(np.float64) for weight in layer.get_weights())
    inputs, features = int(np.prod(kernel.shape[:-1])), kernel.shape[-1]
    rows = np.concatenate([kernel.reshape(inputs, features), *(b[np.newaxis] for b in biases)])
    if len(rows) >= features:
        return model
    lower = np.asarray(np.linalg.qr(rows.T, mode="r")).T
    weights = lower[:inputs].reshape(*kernel.shape[:-1], -1)
    bias = lower[inputs] if biases else None
    x = layer.input
    if isinstance(layer, layers.Dense):
        return keras.Model(model.input, _dense(weights, bias, layer.name)(x))
    return keras.Model(model.input, _convolve(x, layer, weights, bias))


def _is_linear(layer: keras.Layer) -> bool:
    if getattr(layer, "activation", None) is not keras.activations.linear:
        return False
    if type(layer) is layers.Dense:
        return True
    if type(layer) is not layers.Conv1D:
        return False
    plain = layer.strides == layer.dilation_rate == (1,) and layer.groups == 1
    return plain and layer.padding in ("same", "valid")


def _convolve(
    x: Any, layer: layers.Conv1D, weights: NDArray[Any], bias: NDArray[Any] | None
) -> Any:
    """Convolve with one layer for each position of the kernel.

    Args:
      x: symbolic tensor `[batch, frames, channels]`.
      layer: the original convolution.
      weights: `[length, channels, features]`; those of the features from i × channels on are zero
        before position i.
      bias: `[features]`.
    """
    length, channels, _ = weights.shape
    if layer.padding == "same":
        before = (length - 1) // 2
        padding = layers.ZeroPadding1D((before, length - 1 - before), name=f"{layer.name}_pad")
        x = padding(x)
    blocks = []
    for first in range(length):
        end = None if first == length - 1 else (first + 1) * channels
        block = slice(first * channels, end)
        name = f"{layer.name}_{first}"
        shifted = layers.Cropping1D((first, 0), name=f"{name}_crop")(x)
        product = layers.Conv1D(
            weights[:, :, block].shape[-1], length - first, use_bias=bias is not None, name=name
        )
        blocks.append(product(shifted))
        product.set_weights([weights[first:, :, block], *([] if bias is None else [bias[block]])])
    return layers.Concatenate(name=layer.name)(blocks)


def _dense(weights: NDArray[Any], bias: NDArray[Any] | None, name: str) -> layers.Dense:
    layer = layers.Dense(weights.shape[-1], use_bias=bias is not None, name=name)
    layer.build((None, weights.shape[0]))
    layer.set_weights([weights] if bias is None else [weights, bias])
    return layer
