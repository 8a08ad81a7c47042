"""Networks as they are dreamt through: nothing in them learns, so less is computed.

A dream asks for an objective and its gradient with respect to the input, again and again with the
same weights. Batch normalization, then a gain and an offset of each channel, goes into the weights
of a neighbor; what only training needs is left out; products are done in bfloat16 if wanted.

This is a package because every module beside it is an architecture.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops, tree

from tfdream.config import Precision
from tfdream.models.parts.processor import warn_of_slow_bfloat16

_PRODUCTS = (layers.Conv1D, layers.Conv2D, layers.Dense)
# They choose, move or add up a few values: in bfloat16 that loses no more than the products have
# lost already. Averages, which are longer sums, stay in float32.
_BETWEEN_PRODUCTS = (
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
_ONLY_IN_TRAINING = (
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)


def freeze(tapped: keras.Model, precision: Precision = "float32") -> keras.Model:
    """The same activations with fewer operations, from copies of the weights that stay as they are.

    Batch normalization goes into the convolution or dense layer before it if nobody else sees that
    layer's output. Else it goes into the one behind it, unless that pads with zeros, which stand
    for other values before the normalization than behind it. Else it remains. Dropout and noise
    are left out. Layers of kinds not known here are shared with `tapped`.

    Args:
      tapped: as `models.tap` makes it.
      precision: of convolutions, dense products and what merely passes values between them. In
        bfloat16 an activation has three digits; normalization, averages and layers of unknown
        kinds remain in float32.

    Returns:
      A model that takes what `tapped` takes and gives the same dict, of float32.
    """
    if precision == "bfloat16":
        warn_of_slow_bfloat16("precision=bfloat16")
    needed = _rebuild(
        tapped,
        lambda layer, *args, **kwargs: (
            args[0] if isinstance(layer, _ONLY_IN_TRAINING) else layer(*args, **kwargs)
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
    """Which batch normalizations go into which products.

    Attributes:
      before: the normalization of a product's input, by the product's name.
      after: the normalization of its output, by the product's name.
      folded: names of those normalizations.
    """

    def __init__(self, model: keras.Model) -> None:
        self.before: dict[str, keras.Layer] = {}
        self.after: dict[str, keras.Layer] = {}
        self.folded: set[str] = set()
        self._sources: dict[str, list[keras.Layer | None]] = defaultdict(list)
        self._viewers: dict[str, list[keras.Layer | None]] = defaultdict(list)
        self._trace(model)
        for norm in model.layers:
            if type(norm) is layers.BatchNormalization:
                self._place(norm)

    def _trace(self, model: keras.Model) -> None:
        """Note for each layer who feeds it and who sees it; None is the world outside."""
        makers: dict[int, keras.Layer] = {}

        def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
            for tensor in tree.flatten((args, kwargs)):
                if isinstance(tensor, keras.KerasTensor):
                    self._connect(makers.get(id(tensor)), layer)
            outputs = layer(*args, **kwargs)
            makers.update((id(output), layer) for output in tree.flatten(outputs))
            return outputs

        for output in _rebuild(model, call).outputs:
            self._connect(makers.get(id(output)), None)

    def _connect(self, source: keras.Layer | None, viewer: keras.Layer | None) -> None:
        if viewer is not None:
            self._sources[viewer.name].append(source)
        if source is not None:
            self._viewers[source.name].append(viewer)

    def _place(self, norm: keras.Layer) -> None:
        if len(self._sources[norm.name]) != 1 or norm.axis not in (-1, norm.output.ndim - 1):
            return
        ahead = self._product(self._sources[norm.name])
        behind = self._product(self._viewers[norm.name])
        if (
            ahead is not None
            and len(self._viewers[ahead.name]) == 1
            and ahead.activation is keras.activations.linear
        ):
            self.after[ahead.name] = norm
            self.folded.add(norm.name)
        elif (
            behind is not None
            and getattr(behind, "padding", "valid") == "valid"
            and getattr(behind, "groups", 1) == 1
        ):
            self.before[behind.name] = norm
            self.folded.add(norm.name)

    def _product(self, neighbors: list[keras.Layer | None]) -> keras.Layer | None:
        """The only neighbor, if it is a product over the last axis that is called once."""
        if len(neighbors) != 1 or neighbors[0] is None:
            return None
        layer = neighbors[0]
        fits = (
            type(layer) in _PRODUCTS
            and getattr(layer, "data_format", "channels_last") == "channels_last"
            and len(self._sources[layer.name]) == 1
        )
        return layer if fits else None

    def weights(self, product: keras.Layer) -> list[np.ndarray]:
        """Kernel `[…, inputs, filters]` and, if any, bias `[filters]` with what was folded in."""
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


def _gain_and_offset(norm: keras.Layer) -> tuple[np.ndarray, np.ndarray]:
    """float64 `[channels]` each: at inference the normalization is gain · x + offset."""
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
    """A layer of a known kind that does not learn; one of another kind as it is."""
    kind = type(layer)
    if kind in _BETWEEN_PRODUCTS:
        return kind.from_config({**layer.get_config(), "dtype": precision})
    fixed: dict[str, Any] = {"trainable": False}
    if kind is layers.BatchNormalization:
        fixed["dtype"] = "float32"
        weights = layer.get_weights()
    elif kind in _PRODUCTS:
        weights = folding.weights(layer)
        # Zeros draw no random numbers, on whose order the dream may depend.
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
    """The model on an input that is as free, with layers made by `copy` and called by `call`."""
    return keras.models.clone_model(model, clone_function=copy, call_function=call)
