"""The type of all objectives, their algebra, and helpers that objectives share."""

import keyword
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from tfdream.errors import ConfigError

INPUT = "input"
"""The name of the model's input among the activations."""

LOGITS = "logits"
"""The name of the layer of class logits, in every architecture."""

Activations: TypeAlias = dict[str, tf.Tensor]
"""Activations `[batch, …]` by layer name, and the model's input as `INPUT`."""

Targets: TypeAlias = "tf.Tensor | tuple[Targets, ...]"
"""Precomputed tensors of an objective: one tensor, or nested tuples of tensors."""

# The norm of a layer whose activations are all zero has no derivative without this.
_TINY = 1e-12


class Reference(NamedTuple):
    """The activations from which objectives precompute their targets."""

    original: Activations
    """Activations for the unchanged audio."""
    guide: Activations | None = None
    """Activations for the guide, an audio file whose features a guided objective increases."""


@dataclass(frozen=True)
class Objective:
    """A differentiable function of a network's activations, which an ascent maximizes.

    Objectives add, subtract and scale.

    Attributes:
      name: a printable name; that of a public objective is an expression for `expressions.parse`.
      layers: the layers whose activations it needs.
      value: activations `[batch, …]` by layer and precomputed targets → float32 `[batch]`.
      precompute: reference activations → targets, which are passed to every call of `value`.
      guided: whether the reference must contain a guide.
      aligned: whether it compares a layer's activations with the original's at the same position,
        so that the network's input must not be shifted.

    >>> from tfdream.synthesis.ascent.objectives.layers import layer_norm
    >>> combined = 0.7 * layer_norm("conv3") + 0.3 * layer_norm("conv1")
    >>> combined.name, sorted(combined.layers)
    ('0.7*layer_norm(conv3) + 0.3*layer_norm(conv1)', ['conv1', 'conv3'])
    """

    name: str
    layers: frozenset[str]
    value: Callable[[Activations, Targets], tf.Tensor]
    precompute: Callable[[Reference], Targets] = lambda reference: ()
    guided: bool = False
    aligned: bool = False

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(
            f"{self.name} + {other.name}",
            self.layers | other.layers,
            lambda activations, targets: (
                self.value(activations, targets[0]) + other.value(activations, targets[1])
            ),
            lambda reference: (self.precompute(reference), other.precompute(reference)),
            self.guided or other.guided,
            self.aligned or other.aligned,
        )

    def __mul__(self, factor: float) -> "Objective":
        if not isinstance(factor, int | float):
            return NotImplemented
        if factor == 1:
            return self
        return replace(
            self,
            name=f"{factor:g}*{self._term}",
            value=lambda activations, targets: factor * self.value(activations, targets),
        )

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return replace(-1.0 * self, name=f"-{self._term}")

    def __sub__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return replace(self + -1.0 * other, name=f"{self.name} - {other._term}")

    @property
    def _term(self) -> str:
        """The name as a factor or a subtrahend: sums are in parentheses."""
        is_sum = " + " in self.name or " - " in self.name
        return f"({self.name})" if is_sum else self.name


def relative(objective: Objective, to: Callable[[tf.Tensor], tf.Tensor]) -> Objective:
    """Divide an objective by its value for transformed activations of the original.

    Args:
      objective: the numerator.
      to: the transformation of each of the original's activations.
    """

    def precompute(reference: Reference) -> Targets:
        targets = objective.precompute(reference)
        transformed = {name: to(tensor) for name, tensor in reference.original.items()}
        return targets, objective.value(transformed, targets)

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        inner, denominator = targets
        return objective.value(activations, inner) / tf.maximum(denominator, _TINY)

    return replace(
        objective, name=f"relative({objective.name})", value=value, precompute=precompute
    )


def total(objectives: Iterable[Objective]) -> Objective:
    """Return the sum of objectives.

    Raises:
      ConfigError: if there are none.
    """
    result: Objective | None = None
    for objective in objectives:
        result = objective if result is None else result + objective
    if result is None:
        raise ConfigError("no layer has a weight; name at least one")
    return result


def quoted(name: str) -> str:
    """Write a layer or label name as `expressions.parse` reads it: in quotes where necessary.

    >>> quoted("conv3"), quoted("hip hop")
    ('conv3', "'hip hop'")
    """
    return name if name.isidentifier() and not keyword.iskeyword(name) else repr(name)


def positions(activations: tf.Tensor) -> tf.Tensor:
    """Reshape activations `[batch, …, channels]` to float32 `[batch, positions, channels]`."""
    activations = tf.cast(activations, tf.float32)
    shape = activations.shape
    return tf.reshape(activations, [-1, math.prod(shape[1:-1]), shape[-1]])


def norm(squares: tf.Tensor) -> tf.Tensor:
    """Return the root of the sum of squares `[batch, …]`, differentiable at 0: `[batch]`."""
    return tf.sqrt(tf.reduce_sum(squares, all_but_batch(squares)) + _TINY)


def root_mean(squares: tf.Tensor) -> tf.Tensor:
    """Return the root of the mean of squares `[batch, …]`, differentiable at 0: `[batch]`."""
    return tf.sqrt(tf.reduce_mean(squares, all_but_batch(squares)) + _TINY)


def all_but_batch(tensor: tf.Tensor) -> list[int]:
    """Return all axes of a tensor but the first."""
    return list(range(1, tensor.shape.rank))
