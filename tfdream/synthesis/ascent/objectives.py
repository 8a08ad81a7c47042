"""Objectives: what is maximized, as functions of a network's activations.

An objective is a public function here that returns an `Objective`; `expressions` finds it by name.
Objectives add, subtract and scale: ``0.7*layer_norm(conv3) - 0.01*total_variation()``.
"""

import keyword
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import tensorflow as tf

from tfdream.errors import ConfigError

INPUT = "input"
"""The name under which objectives find the model's input among the activations."""

LOGITS = "logits"
"""The layer that tells classes apart, in every architecture."""

Activations = dict[str, tf.Tensor]
Targets = Any
"""Any nest of tensors."""


class Reference(NamedTuple):
    """What an objective may remember before the ascent begins."""

    original: Activations
    guide: Activations | None = None
    """Of another recording, whose features are to be brought out."""


# More pairs of positions than this do not fit into memory.
_MOST_PAIRS = 2**27

# Under the root of a sum of squares: a silent layer has a norm without a derivative.
_TINY = 1e-12


@dataclass(frozen=True)
class Objective:
    """Something to be maximized.

    Attributes:
      name: as `expressions.parse` would read it.
      layers: whose activations it needs.
      value: activations `[batch, …]` by layer, and what it remembers → float32 `[batch]`.
      remember: the scene → tensors that `value` is given each time.
      guided: whether the scene must have a guide.
    """

    name: str
    layers: frozenset[str]
    value: Callable[[Activations, Targets], tf.Tensor]
    precompute: Callable[[Reference], Targets] = lambda scene: ()
    guided: bool = False

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(
            f"{self.name} + {other.name}",
            self.layers | other.layers,
            lambda activations, memory: (
                self.value(activations, memory[0]) + other.value(activations, memory[1])
            ),
            lambda scene: (self.precompute(scene), other.precompute(scene)),
            self.guided or other.guided,
        )

    def __mul__(self, factor: float) -> "Objective":
        if not isinstance(factor, int | float):
            return NotImplemented
        if factor == 1:
            return self
        return replace(
            self,
            name=f"{factor:g}*({self.name})" if " + " in self.name else f"{factor:g}*{self.name}",
            value=lambda activations, memory: factor * self.value(activations, memory),
        )

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return -1.0 * self

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -1.0 * other if isinstance(other, Objective) else NotImplemented


def layer_norm(layer: str) -> Objective:
    """The L2 norm of all activations of a layer.

    Source: "Dreaming in Music", section III-C.
    """

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        squares = tf.cast(activations[layer], tf.float32) ** 2
        return tf.sqrt(tf.reduce_sum(squares, _all_but_batch(squares)) + _TINY)

    return Objective(f"layer_norm({quoted(layer)})", frozenset({layer}), value)


def layer_energy(layer: str) -> Objective:
    """Half the sum of the squares of all activations of a layer.

    Source: "Music Style Classification and Transformation", chapter 5.
    """

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        squares = tf.cast(activations[layer], tf.float32) ** 2
        return tf.reduce_sum(squares, _all_but_batch(squares)) / 2

    return Objective(f"layer_energy({quoted(layer)})", frozenset({layer}), value)


def channel(layer: str, index: int) -> Objective:
    """The mean activation of one channel of a layer, over all places.

    Source: Olah, Mordvintsev and Schubert, "Feature visualization".
    """

    _check_index(layer, index)

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        chosen = _channel(activations[layer], layer, index)
        return tf.reduce_mean(chosen, _all_but_batch(chosen)) if chosen.shape.rank > 1 else chosen

    return Objective(f"channel({quoted(layer)}, {index})", frozenset({layer}), value)


def unit(layer: str, index: int, time: float = 0.5, frequency: float = 0.5) -> Objective:
    """One channel of a layer at one place.

    Args:
      layer: a convolution.
      index: of the channel.
      time, frequency: the place, from 0 (start, bottom) to 1; frequency counts for images only.

    Source: Olah, Mordvintsev and Schubert, "Feature visualization" (there called neuron).
    """
    _check_index(layer, index)
    places = (time, frequency)
    if not all(0 <= place <= 1 for place in places):
        raise ConfigError(f"unit({layer}, {index}): time and frequency go from 0 to 1")

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        chosen = _channel(activations[layer], layer, index)
        for place in places[: chosen.shape.rank - 1]:  # time is the last axis, then frequency
            last = tf.cast(tf.shape(chosen)[-1] - 1, tf.float32)
            chosen = tf.gather(chosen, tf.cast(tf.round(place * last), tf.int32), axis=-1)
        return chosen

    name = f"unit({quoted(layer)}, {index}, {time:g}, {frequency:g})"
    return Objective(name, frozenset({layer}), value)


def class_logit(label: str, labels: Sequence[str]) -> Objective:
    """The logit of a class; with a minus sign, away from it.

    The logit, not the probability or its logarithm: those stop rising where the network is sure.

    Args:
      label: the class.
      labels: all of the network's, in its order.

    Raises:
      ConfigError: if it is not one of them.
    """
    if label not in labels:
        raise ConfigError(f"class_logit({label}): the network's labels are {', '.join(labels)}")
    index = list(labels).index(label)

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        return tf.cast(activations[LOGITS], tf.float32)[:, index]

    return Objective(f"class_logit({quoted(label)})", frozenset({LOGITS}), value)


def guide_dot(layer: str) -> Objective:
    """The dot product of a layer's activations with those of the guide, place by place.

    Source: "Dreaming in Music", section III-C.
    """

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        product = tf.cast(activations[layer], tf.float32) * memory
        return tf.reduce_sum(product, _all_but_batch(product))

    return Objective(
        f"guide_dot({quoted(layer)})",
        frozenset({layer}),
        value,
        _remember_guide(layer),
        guided=True,
    )


def guide_match(layer: str) -> Objective:
    """The dot product of each place's activations with the best-matching place of the guide.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism", the guided dream.
    """

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        own, guide = positions(activations[layer]), positions(memory)
        pairs = (own.shape[1] or 0) * (guide.shape[1] or 0)
        if pairs > _MOST_PAIRS:
            raise ConfigError(
                f"guide_match({layer}) would compare {own.shape[1]} places with {guide.shape[1]}; "
                "use a deeper layer or shorter tiles"
            )
        scores = tf.matmul(own, guide, transpose_b=True)
        return tf.reduce_sum(tf.reduce_max(scores, axis=2), axis=1)

    return Objective(
        f"guide_match({quoted(layer)})",
        frozenset({layer}),
        value,
        _remember_guide(layer),
        guided=True,
    )


def content(layer: str) -> Objective:
    """Half the squared distance from the original's activations; give it a minus sign.

    With a start from noise this inverts the layer.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style", equation 1; Mahendran
    and Vedaldi, "Understanding deep image representations by inverting them".
    """

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        difference = tf.cast(activations[layer], tf.float32) - memory
        return tf.reduce_sum(difference**2, _all_but_batch(difference)) / 2

    def precompute(scene: Reference) -> Targets:
        return tf.cast(scene.original[layer], tf.float32)

    return Objective(f"content({quoted(layer)})", frozenset({layer}), value, precompute)


def distance() -> Objective:
    """The root mean square difference from the original's model input; give it a minus sign."""

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        squares = (activations[INPUT] - memory) ** 2
        return tf.sqrt(tf.reduce_mean(squares, _all_but_batch(squares)) + _TINY)

    return Objective("distance()", frozenset(), value, lambda scene: scene.original[INPUT])


def total_variation() -> Objective:
    """The mean absolute difference of neighbors in the model's input; give it a minus sign."""

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        image = activations[INPUT]
        total = tf.zeros(tf.shape(image)[:1])
        for axis in range(1, image.shape.rank - 1):
            ahead = tf.roll(image, -1, axis)
            keep = [slice(None)] * axis + [slice(None, -1)]
            difference = tf.abs(ahead - image)[tuple(keep)]
            total += tf.reduce_mean(difference, _all_but_batch(image))
        return total

    return Objective("total_variation()", frozenset(), value)


def quoted(name: str) -> str:
    """The name of a layer or label as `expressions.parse` reads it: quoted, unless it is a word."""
    return name if name.isidentifier() and not keyword.iskeyword(name) else repr(name)


def positions(activations: tf.Tensor) -> tf.Tensor:
    """Activations `[batch, …, channels]` → float32 `[batch, positions, channels]`."""
    activations = tf.cast(activations, tf.float32)
    shape = activations.shape
    return tf.reshape(activations, [-1, math.prod(shape[1:-1]), shape[-1]])


def _remember_guide(layer: str) -> Callable[[Reference], Targets]:
    def precompute(scene: Reference) -> Targets:
        if scene.guide is None:
            raise ConfigError(f"an objective of {layer} needs a guide; give one with --guide")
        return tf.cast(scene.guide[layer], tf.float32)

    return precompute


def _check_index(layer: str, index: int) -> None:
    if index < 0:
        raise ConfigError(f"{layer} has no channel index={index}; they count from 0")


def _channel(activations: tf.Tensor, layer: str, index: int) -> tf.Tensor:
    count = activations.shape[-1]
    if not 0 <= index < count:
        raise ConfigError(f"channel {index} of {layer}: it has {count}, from 0 to {count - 1}")
    return tf.cast(activations[..., index], tf.float32)


def _all_but_batch(tensor: tf.Tensor) -> list[int]:
    return list(range(1, tensor.shape.rank))
