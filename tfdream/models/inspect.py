"""Layers, convolutions and sub-networks of a Keras model."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np

from tfdream.errors import ConfigError, ModelError


class Convolution(NamedTuple):
    """A convolution of a model.

    Attributes:
      name: of the layer.
      kernel: float32 `[length, inputs, filters]` or `[height, width, inputs, filters]`.
      strides: cells of the model's input from one cell of the layer's input to the next, along
        each axis; None behind a layer that takes the axes away.
    """

    name: str
    kernel: np.ndarray
    strides: tuple[float, ...] | None


def layers(model: keras.Model) -> list[dict[str, Any]]:
    """Name, type and output shape of every layer, in order: what can be dreamt on."""
    return [
        {"name": layer.name, "type": type(layer).__name__, "output_shape": _shape(layer)}
        for layer in model.layers
    ]


def deepest_convolution(model: keras.Model) -> str:
    """The name of the last convolution.

    Raises:
      ModelError: if there is none.
    """
    name: str = _convolutions(model)[-1].name
    return name


def convolutions(model: keras.Model, names: Iterable[str] = ()) -> list[Convolution]:
    """The convolutions of a model, in their order, with their weights.

    Args:
      model: any.
      names: of those that are wanted; by default all.

    Raises:
      ModelError: if there is none, or one that is wanted is not among them.
    """
    found = _convolutions(model)
    wanted = list(names) or [layer.name for layer in found]
    known = {layer.name: layer for layer in found}
    for name in wanted:
        if name not in known:
            raise ModelError(f"layer '{name}' is no convolution of the model: {', '.join(known)}")
    strides = _strides(model)
    return [
        Convolution(name, known[name].get_weights()[0], strides[known[name].input.name])
        for name in wanted
    ]


def find_layers(model: keras.Model, names: Iterable[str]) -> list[keras.Layer]:
    """Layers by their names.

    Raises:
      ModelError: if one does not exist.
    """
    known = {layer.name: layer for layer in model.layers}
    found = []
    for name in names:
        if name not in known:
            raise ModelError(f"layer '{name}' is not in the model; its layers: {_listed(model)}")
        found.append(known[name])
    return found


def tap(model: keras.Model, names: Iterable[str]) -> keras.Model:
    """A model from the input to the outputs of some layers, with the same weights.

    It computes nothing beyond the deepest of them, and takes images of any size as long as no
    layer on the way needs the size that the model was built for; one that standardizes each row
    needs its number of rows.

    Returns:
      A model that gives a dict of layer name → activations.

    Raises:
      ModelError: if a layer does not exist.
    """
    outputs = {layer.name: layer.output for layer in find_layers(model, names)}
    tapped = keras.Model(model.input, outputs)
    fixed = any(_needs_size(layer) for layer in tapped.layers)
    if fixed or None in model.input.shape[1:]:  # the latter says itself what it takes
        return tapped
    bound = {axis for layer in tapped.layers for axis in _bound_axes(layer)}
    last = len(model.input.shape) - 1
    free = keras.Input(
        tuple(
            size if axis in bound or axis == last else None
            for axis, size in enumerate(model.input.shape)
        )[1:]
    )
    return keras.models.clone_model(
        tapped,
        input_tensors=free,
        call_function=lambda layer, *args, **kwargs: layer(*args, **kwargs),
        clone_function=lambda layer: layer,
    )


def check_input(tapped: keras.Model, shape: tuple[int, ...]) -> None:
    """See that a model made by `tap` takes inputs of a shape, without the batch.

    Raises:
      ConfigError: if it does not.
    """
    taken = tapped.input.shape[1:]
    if any(size not in (None, own) for size, own in zip(taken, shape, strict=True)):
        raise ConfigError(
            f"the layers {', '.join(tapped.output)} need an input of shape {tuple(taken)} and "
            f"would see {shape}; use octaves.count=1, octaves.axes=time or the layer of a "
            "convolution, and leave tiles.seconds out"
        )
    if not _leaves_something(tapped, shape):
        raise ConfigError(
            f"an input of shape {shape} is too small for the layers {', '.join(tapped.output)}; "
            "use fewer octaves or longer tiles"
        )


def _leaves_something(tapped: keras.Model, shape: tuple[int, ...]) -> bool:
    try:
        outputs = tapped.compute_output_shape((1, *shape))
    except ValueError:  # pooled to less than nothing
        return False
    return all(0 not in output for output in outputs.values())


def _convolutions(model: keras.Model) -> list[keras.Layer]:
    found = [layer for layer in model.layers if _is_convolution(layer)]
    if not found:
        raise ModelError(f"the model has no convolution; its layers: {_listed(model)}")
    return found


def _strides(model: keras.Model) -> dict[str, tuple[float, ...] | None]:
    """Cells of the input from one cell to the next, along each axis, by the name of the tensor."""
    known: dict[str, tuple[float, ...] | None] = {}
    for layer in model.layers:
        shape = layer.output.shape[1:-1]
        if isinstance(layer, keras.layers.InputLayer):
            known[layer.output.name] = (1.0,) * len(shape)
            continue
        first = layer.input[0] if isinstance(layer.input, list) else layer.input
        before = known.get(first.name)
        if before is None or len(before) != len(shape):
            known[layer.output.name] = None
            continue
        own = getattr(layer, "strides", None)
        if own is None:  # one of our own that makes its input shorter, or none at all
            sizes = zip(first.shape[1:-1], shape, strict=True)
            own = [round(size / left) if size and left else 1 for size, left in sizes]
        own = (own,) * len(shape) if isinstance(own, int) else own
        known[layer.output.name] = tuple(
            each * max(1, stride) for each, stride in zip(before, own, strict=True)
        )
    return known


def _is_convolution(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D)


def _needs_size(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Flatten | keras.layers.Reshape)


def _bound_axes(layer: keras.Layer) -> tuple[int, ...]:
    """The axes along which a layer has a weight for each place."""
    return tuple(layer.axis) if isinstance(layer, keras.layers.Normalization) else ()


def _listed(model: keras.Model) -> str:
    return ", ".join(layer.name for layer in model.layers)


def _shape(layer: keras.Layer) -> list[int | None]:
    return list(layer.output.shape)
