"""Objectives that increase the activations of a layer, a channel or a single unit."""

import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.objectives.base import (
    Activations,
    Objective,
    Targets,
    all_but_batch,
    norm,
    quoted,
)


def layer_norm(layer: str) -> Objective:
    """The L2 norm of all activations of a layer.

    Source: "Dreaming in Music", section III-C.
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        return norm(tf.cast(activations[layer], tf.float32) ** 2)

    return Objective(f"layer_norm({quoted(layer)})", frozenset({layer}), value)


def layer_energy(layer: str) -> Objective:
    """Half the sum of the squares of all activations of a layer.

    Source: "Music Style Classification and Transformation", chapter 5.
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        squares = tf.cast(activations[layer], tf.float32) ** 2
        return tf.reduce_sum(squares, all_but_batch(squares)) / 2

    return Objective(f"layer_energy({quoted(layer)})", frozenset({layer}), value)


def channel(layer: str, index: int) -> Objective:
    """The mean activation of one channel of a layer over all positions.

    Source: Olah, Mordvintsev and Schubert, "Feature visualization".
    """
    _check_index(layer, index)

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        selected = _channel(activations[layer], layer, index)
        if selected.shape.rank == 1:
            return selected
        return tf.reduce_mean(selected, all_but_batch(selected))

    return Objective(f"channel({quoted(layer)}, {index})", frozenset({layer}), value)


def unit(layer: str, index: int, time: float = 0.5, frequency: float = 0.5) -> Objective:
    """The activation of one channel of a layer at one position.

    Args:
      layer: a convolution.
      index: number of the channel.
      time: position in time, from 0 (start) to 1.
      frequency: position in frequency, from 0 (lowest) to 1; only images have one.

    Raises:
      ConfigError: if an argument is out of range.

    Source: Olah, Mordvintsev and Schubert, "Feature visualization" (there called neuron).
    """
    _check_index(layer, index)
    places = (time, frequency)
    if not all(0 <= place <= 1 for place in places):
        raise ConfigError(
            f"unit({layer}, {index}): time={time:g} and frequency={frequency:g} must be from 0 to 1"
        )

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        selected = _channel(activations[layer], layer, index)
        for place in places[: selected.shape.rank - 1]:  # time is the last axis, then frequency
            last = tf.cast(tf.shape(selected)[-1] - 1, tf.float32)
            selected = tf.gather(selected, tf.cast(tf.round(place * last), tf.int32), axis=-1)
        return selected

    name = f"unit({quoted(layer)}, {index}, {time:g}, {frequency:g})"
    return Objective(name, frozenset({layer}), value)


def _check_index(layer: str, index: int) -> None:
    if index < 0:
        raise ConfigError(f"{layer} has no channel index={index}; channels count from 0")


def _channel(activations: tf.Tensor, layer: str, index: int) -> tf.Tensor:
    count = activations.shape[-1]
    if not 0 <= index < count:
        raise ConfigError(
            f"{layer} has no channel index={index}: it has {count}, from 0 to {count - 1}"
        )
    return tf.cast(activations[..., index], tf.float32)
