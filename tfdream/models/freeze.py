"""Inference-only copies of networks, with batch normalization folded into adjacent layers.

Gradient ascent on the input evaluates a network many times with the same weights. At inference,
batch normalization is a gain and an offset for each channel, which are folded into the weights of
an adjacent layer. Layers that only act in training are removed. Products can be computed in
bfloat16.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops, tree
from numpy.typing import NDArray

from tfdream.config import Precision
from tfdream.models.parts.normalization import NORMALIZATIONS
from tfdream.models.parts.processor import warn_of_slow_bfloat16
from tfdream.models.parts.tall import TallConvolution

_PRODUCTS = (layers.Conv1D, layers.Conv2D, layers.Dense, TallConvolution)
# Their outputs are selected or mapped values, or sums of a few: in bfloat16 this loses no more
# precision than the products have lost. Averages, which are longer sums, stay in float32.
_SAME_PRECISION = (
    layers.Activation,
    layers.Add,
    layers.Concatenate,
    layers.Flatten,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.LeakyReLU,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.ReLU,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
)
_TRAINING_ONLY = (
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)


def freeze(tapped: keras.Model, precision: Precision = "float32") -> keras.Model:
    """Build a model with the same activations and fewer operations, from copies of the weights.

    Batch normalization is folded into the convolution or dense layer before it if no other layer
    uses that layer's output. Otherwise it is folded into the one after it, unless that one pads
    with zeros: padding is applied after the normalization. Otherwise it remains. Dropout and noise
    are removed. Layers of other types are shared with `tapped`.

    Args:
      tapped: model from `inspect.tap`.
      precision: dtype of convolutions, dense layers, and layers that only pass on their values. In
        bfloat16 an activation has three digits. Normalization, averages and layers of other types
        remain in float32.

    Returns:
      A model with the inputs of `tapped` and the same dict of outputs, float32.
    """
    if precision == "bfloat16":
        warn_of_slow_bfloat16("precision=bfloat16")
    needed = _rebuild(
        tapped,
        lambda layer, *args, **kwargs: (
            args[0] if isinstance(layer, _TRAINING_ONLY) else layer(*args, **kwargs)
        ),
    )
    folding = _Folding(needed)
    copies: dict[str, keras.Layer] = {}

    def copy(layer: keras.Layer) -> keras.Layer:
        if layer.name not in copies:
            copies[layer.name] = _copy(layer, folding, precision)
        return copies[layer.name]

    frozen = _rebuild(
        needed,
        lambda layer, *args, **kwargs: (
            args[0] if layer.name in folding.folded else layer(*args, **kwargs)
        ),
        copy,
    )
    outputs = {name: ops.cast(output, "float32") for name, output in frozen.output.items()}
    return keras.Model(frozen.input, outputs, name=frozen.name)


class _Folding:
    """Selects the batch normalizations to fold, and the product that each is folded into.

    A product is a convolution or a dense layer.

    Attributes:
      before: normalization of a product's input, by the product's name.
      after: normalization of a product's output, by the product's name.
      folded: names of these normalizations.
    """

    def __init__(self, model: keras.Model) -> None:
        self.before: dict[str, keras.Layer] = {}
        self.after: dict[str, keras.Layer] = {}
        self.folded: set[str] = set()
        self._sources: dict[str, list[keras.Layer | None]] = defaultdict(list)
        self._consumers: dict[str, list[keras.Layer | None]] = defaultdict(list)
        self._trace(model)
        for norm in model.layers:
            if type(norm) in NORMALIZATIONS:
                self._place(norm)

    def _trace(self, model: keras.Model) -> None:
        """Record sources and consumers of each layer; None is an input or output of the model."""
        producers: dict[int, keras.Layer] = {}

        def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
            for tensor in tree.flatten((args, kwargs)):
                if isinstance(tensor, keras.KerasTensor):
                    self._connect(producers.get(id(tensor)), layer)
            outputs = layer(*args, **kwargs)
            producers.update((id(output), layer) for output in tree.flatten(outputs))
            return outputs

        for output in _rebuild(model, call).outputs:
            self._connect(producers.get(id(output)), None)

    def _connect(self, source: keras.Layer | None, consumer: keras.Layer | None) -> None:
        if consumer is not None:
            self._sources[consumer.name].append(source)
        if source is not None:
            self._consumers[source.name].append(consumer)

    def _place(self, norm: keras.Layer) -> None:
        if len(self._sources[norm.name]) != 1 or norm.axis not in (-1, norm.output.ndim - 1):
            return
        preceding = self._product(self._sources[norm.name])
        following = self._product(self._consumers[norm.name])
        if (
            preceding is not None
            and len(self._consumers[preceding.name]) == 1
            and preceding.activation is keras.activations.linear
        ):
            self.after[preceding.name] = norm
            self.folded.add(norm.name)
        elif (
            following is not None
            and getattr(following, "padding", "valid") == "valid"
            and getattr(following, "groups", 1) == 1
        ):
            self.before[following.name] = norm
            self.folded.add(norm.name)

    def _product(self, neighbors: list[keras.Layer | None]) -> keras.Layer | None:
        """Return the only neighbor if it is a product over the last axis that is called once."""
        if len(neighbors) != 1 or neighbors[0] is None:
            return None
        layer = neighbors[0]
        foldable = (
            type(layer) in _PRODUCTS
            and getattr(layer, "data_format", "channels_last") == "channels_last"
            and len(self._sources[layer.name]) == 1
        )
        return layer if foldable else None

    def weights(self, product: keras.Layer) -> list[NDArray[Any]]:
        """Return kernel `[…, inputs, filters]` and, if any, bias `[filters]` after folding."""
        before, after = self.before.get(product.name), self.after.get(product.name)
        kernel, *biases = (weight.astype(np.float64) for weight in product.get_weights())
        if before is None and after is None:
            return [kernel, *biases]
        bias = biases[0] if biases else np.zeros(kernel.shape[-1])
        if before is not None:
            gain, offset = _gain_and_offset(before)
            bias = bias + offset @ kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
            kernel = kernel * gain[:, np.newaxis]
        if after is not None:
            gain, offset = _gain_and_offset(after)
            kernel, bias = kernel * gain, bias * gain + offset
        return [kernel, bias]


def _gain_and_offset(norm: keras.Layer) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return float64 `[channels]` each: at inference the output is gain · x + offset."""
    mean, variance = (
        np.asarray(weight, np.float64) for weight in (norm.moving_mean, norm.moving_variance)
    )
    gain = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        gain = gain * np.asarray(norm.gamma, np.float64)
    offset = -mean * gain
    if norm.center:
        offset = offset + np.asarray(norm.beta, np.float64)
    return gain, offset


def _copy(layer: keras.Layer, folding: _Folding, precision: Precision) -> keras.Layer:
    """Copy a layer as not trainable; return the layer itself if its type is not supported."""
    kind = type(layer)
    if kind in _SAME_PRECISION:
        return kind.from_config({**layer.get_config(), "dtype": precision})
    fixed: dict[str, Any] = {"trainable": False}
    if kind in NORMALIZATIONS:
        fixed["dtype"] = "float32"
        weights = layer.get_weights()
    elif kind in _PRODUCTS:
        weights = folding.weights(layer)
        # Zeros use no random numbers, so that later draws do not depend on freezing.
        fixed |= {
            "dtype": precision,
            "use_bias": len(weights) == 2,
            "kernel_initializer": "zeros",
            "bias_initializer": "zeros",
        }
    else:
        return layer
    copy = kind.from_config({**layer.get_config(), **fixed})
    copy.build(layer.input.shape)
    copy.set_weights(weights)
    return copy


def _rebuild(
    model: keras.Model,
    call: Callable[..., Any],
    copy: Callable[[keras.Layer], keras.Layer] = lambda layer: layer,
) -> keras.Model:
    """Rebuild a model on an input of the same shape, with copies of layers, called by `call`."""
    return keras.models.clone_model(model, clone_function=copy, call_function=call)
