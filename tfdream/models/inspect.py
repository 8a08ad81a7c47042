"""Layers, convolutions and sub-networks of a Keras model."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypedDict

import keras
import numpy as np
from numpy.typing import NDArray

from tfdream.errors import ConfigError, ModelError, did_you_mean
from tfdream.models.parts.texture import TextureStatistics
from tfdream.signal.images import Size

Strides = tuple[float, ...]
"""Cells of the model's input from one cell of an activation to the next, along each axis."""


class LayerSummary(TypedDict):
    """Description of a layer, as `layers --json` prints it."""

    name: str
    type: str
    output_shape: list[int | None]


class Convolution(NamedTuple):
    """A convolution of a model.

    Attributes:
      name: name of the layer.
      kernel: float32 `[length, inputs, filters]` or `[height, width, inputs, filters]`.
      strides: strides of the layer's input; None if a layer before it removes the axes.
    """

    name: str
    kernel: NDArray[np.float32]
    strides: Strides | None


def layers(model: keras.Model) -> list[LayerSummary]:
    """Return the name, type and output shape of every layer, in the model's order.

    >>> model = keras.Sequential([keras.Input((8, 1)), keras.layers.Conv1D(4, 3, name="conv1")])
    >>> layers(model)
    [{'name': 'conv1', 'type': 'Conv1D', 'output_shape': [None, 6, 4]}]
    """
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": list(layer.output.shape),
        }
        for layer in model.layers
    ]


def deepest_convolution(model: keras.Model) -> str:
    """Return the name of the last convolution.

    Raises:
      ModelError: if there is none.

    >>> convolutions = [keras.layers.Conv1D(4, 3, name=name) for name in ("conv1", "conv2")]
    >>> deepest_convolution(keras.Sequential([keras.Input((8, 1)), *convolutions]))
    'conv2'
    """
    name: str = _convolutions(model)[-1].name
    return name


def middle_convolution(model: keras.Model) -> str:
    """Return the name of the convolution in the middle of the model's order, the later one of two.

    Raises:
      ModelError: if there is none.

    >>> convolutions = [keras.layers.Conv1D(4, 3, name=f"conv{i}") for i in range(1, 6)]
    >>> middle_convolution(keras.Sequential([keras.Input((20, 1)), *convolutions]))
    'conv3'
    """
    layers = _convolutions(model)
    name: str = layers[len(layers) // 2].name
    return name


def convolutions(model: keras.Model, names: Iterable[str] = ()) -> list[Convolution]:
    """Return convolutions of a model with their weights.

    Args:
      model: any model.
      names: names of the layers; by default all convolutions in the model's order.

    Raises:
      ModelError: if there is none, or a name is not that of a convolution.
    """
    by_name = {layer.name: layer for layer in _convolutions(model)}
    selected = list(names) or list(by_name)
    for name in selected:
        if name not in by_name:
            raise ModelError(
                f"layer '{name}' is not a convolution of the model; use one of: "
                f"{', '.join(by_name)}"
            )
    strides = _strides(model)
    return [
        Convolution(name, by_name[name].get_weights()[0], strides[by_name[name].input.name])
        for name in selected
    ]


def find_layers(model: keras.Model, names: Iterable[str]) -> list[keras.Layer]:
    """Return layers by their names.

    Raises:
      ModelError: if one does not exist.
    """
    by_name = {layer.name: layer for layer in model.layers}
    names = list(names)
    for name in names:
        if name not in by_name:
            raise ModelError(
                f"layer '{name}' is not in the model{did_you_mean(name, by_name)}; its layers: "
                f"{_listed(model)}"
            )
    return [by_name[name] for name in names]


def tap(model: keras.Model, names: Iterable[str]) -> keras.Model:
    """Build a model from the input to the outputs of some layers, with shared weights.

    It computes nothing beyond the deepest of these layers. It accepts images of any size, unless a
    layer on the way requires the size that the model was built for, as one does whose weights are
    for each row or column. A layer that standardizes each row requires the number of rows.

    Args:
      model: functional model.
      names: names of the layers.

    Returns:
      A model that returns a dict of layer name → activations.

    Raises:
      ModelError: if a layer does not exist.

    >>> samples = keras.Input((8, 1))
    >>> model = keras.Model(samples, keras.layers.Conv1D(4, 3, name="conv1")(samples))
    >>> tap(model, ["conv1"])(np.zeros((2, 20, 1)))["conv1"].shape
    TensorShape([2, 18, 4])
    """
    outputs = {layer.name: layer.output for layer in find_layers(model, names)}
    tapped = keras.Model(model.input, outputs)
    fixed = any(_requires_size(layer) for layer in tapped.layers)
    if fixed or None in model.input.shape[1:]:  # with None, the model specifies its free axes
        return tapped
    bound = {axis for layer in tapped.layers for axis in _bound_axes(layer)}
    last = len(model.input.shape) - 1
    free = keras.Input(
        tuple(
            size if axis in bound or axis == last else None
            for axis, size in enumerate(model.input.shape)
        )[1:]
    )
    lacks_features = False

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        nonlocal lacks_features
        is_weighted = isinstance(layer, keras.layers.Layer) and bool(layer.weights)
        inputs = [each for each in keras.tree.flatten(args) if isinstance(each, keras.KerasTensor)]
        lacks_features |= is_weighted and any(each.shape[-1] is None for each in inputs)
        return layer(*args, **kwargs)

    unbound = keras.models.clone_model(
        tapped, input_tensors=free, call_function=call, clone_function=lambda layer: layer
    )
    return tapped if lacks_features else unbound


def check_input(tapped: keras.Model, shape: tuple[int, ...], size: Size | None = None) -> None:
    """Check that a model accepts inputs of a shape, those of tiles or of one of their octaves.

    Args:
      tapped: model from `tap`.
      shape: shape of one input, without the batch.
      size: size of the octave that images of this shape are resized to; None for the input as it
        is.

    Raises:
      ConfigError: if it does not accept them.
    """
    if size is not None:
        shape = *size, shape[-1]
    accepted = tapped.input.shape[1:]
    names = ", ".join(tapped.output)
    fits = [limit in (None, given) for limit, given in zip(accepted, shape, strict=True)]
    if not all(fits):
        if size is None:
            remedy = "do not set tiles.seconds, or use the layer of a convolution"
        elif fits == [False, True, True]:
            remedy = "use octaves.count=1, or reduce time only, with octaves.axes=time"
        else:
            remedy = "use octaves.count=1, or the layer of a convolution"
        raise ConfigError(
            f"the layers {names} require an input of shape {tuple(accepted)}, not {shape}; {remedy}"
        )
    if not _has_output(tapped, shape):
        remedy = "use longer tiles" if size is None else "use fewer octaves or longer tiles"
        raise ConfigError(
            f"an input of shape {shape} is too small for the layers {names}; {remedy}"
        )


def _has_output(tapped: keras.Model, shape: tuple[int, ...]) -> bool:
    try:
        outputs = tapped.compute_output_shape((1, *shape))
    except ValueError:  # pooling would give a negative size
        return False
    return all(0 not in output for output in outputs.values())


def _convolutions(model: keras.Model) -> list[keras.Layer]:
    kinds = keras.layers.Conv1D | keras.layers.Conv2D
    matching = [layer for layer in model.layers if isinstance(layer, kinds)]
    if not matching:
        raise ModelError(f"the model has no convolution; its layers: {_listed(model)}")
    return matching


def _strides(model: keras.Model) -> dict[str, Strides | None]:
    """Return the strides of each layer's output by the tensor's name; None without spatial axes."""
    strides: dict[str, Strides | None] = {}
    for layer in model.layers:
        shape = layer.output.shape[1:-1]
        if isinstance(layer, keras.layers.InputLayer):
            strides[layer.output.name] = (1.0,) * len(shape)
            continue
        first = layer.input[0] if isinstance(layer.input, list) else layer.input
        before = strides.get(first.name)
        if before is None or len(before) != len(shape):
            strides[layer.output.name] = None
            continue
        factors = _layer_strides(layer, first.shape[1:-1], shape)
        strides[layer.output.name] = tuple(
            stride * max(1, factor) for stride, factor in zip(before, factors, strict=True)
        )
    return strides


def _layer_strides(
    layer: keras.Layer, input_shape: tuple[int | None, ...], shape: tuple[int | None, ...]
) -> tuple[int, ...]:
    """Return the strides of one layer; without such an attribute, by the ratio of the shapes."""
    strides: int | tuple[int, ...] | None = getattr(layer, "strides", None)
    if strides is None:
        sizes = zip(input_shape, shape, strict=True)
        return tuple(round(size / left) if size and left else 1 for size, left in sizes)
    return (strides,) * len(shape) if isinstance(strides, int) else tuple(strides)


def _requires_size(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Flatten | keras.layers.Reshape | TextureStatistics)


def _bound_axes(layer: keras.Layer) -> tuple[int, ...]:
    """Return the axes along which a layer has a weight for each position."""
    return tuple(layer.axis) if isinstance(layer, keras.layers.Normalization) else ()


def _listed(model: keras.Model) -> str:
    return ", ".join(layer.name for layer in model.layers)
