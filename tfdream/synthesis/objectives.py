"""Objectives: what is maximised, as functions of a network's activations.

An objective is a public function here that returns an `Objective`; `parse` finds them by name.
Objectives add, subtract and scale: ``0.7*layer_norm(conv3) - 0.01*total_variation()``.
"""

import ast
import inspect
import operator
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfdream.errors import ConfigError

INPUT = "input"
"""The name under which objectives find the model's input among the activations."""

Activations = dict[str, tf.Tensor]
Memory = Any
"""Any nest of tensors."""

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}

# Under the root of a sum of squares: a silent layer has a norm without a derivative.
_TINY = 1e-12


@dataclass(frozen=True)
class Objective:
    """Something to be maximised.

    Attributes:
      name: as `parse` would read it.
      layers: whose activations it needs.
      value: activations `[batch, …]` by layer, and what it remembers → float32 `[batch]`.
      remember: activations of the original → tensors that `value` is given each time.
    """

    name: str
    layers: frozenset[str]
    value: Callable[[Activations, Memory], tf.Tensor]
    remember: Callable[[Activations], Memory] = lambda original: ()

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(
            f"{self.name} + {other.name}",
            self.layers | other.layers,
            lambda activations, memory: (
                self.value(activations, memory[0]) + other.value(activations, memory[1])
            ),
            lambda original: (self.remember(original), other.remember(original)),
        )

    def __mul__(self, factor: float) -> "Objective":
        if not isinstance(factor, int | float):
            return NotImplemented
        if factor == 1:
            return self
        name = f"({self.name})" if " + " in self.name else self.name
        return Objective(
            f"{factor:g}*{name}",
            self.layers,
            lambda activations, memory: factor * self.value(activations, memory),
            self.remember,
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

    def value(activations: Activations, memory: Memory) -> tf.Tensor:
        squares = tf.cast(activations[layer], tf.float32) ** 2
        return tf.sqrt(tf.reduce_sum(squares, _all_but_batch(squares)) + _TINY)

    return Objective(f"layer_norm({layer})", frozenset({layer}), value)


def content(layer: str) -> Objective:
    """Half the squared distance from the original's activations; give it a minus sign.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style", equation 1.
    """

    def value(activations: Activations, memory: Memory) -> tf.Tensor:
        difference = tf.cast(activations[layer], tf.float32) - memory
        return tf.reduce_sum(difference**2, _all_but_batch(difference)) / 2

    def remember(original: Activations) -> Memory:
        return tf.cast(original[layer], tf.float32)

    return Objective(f"content({layer})", frozenset({layer}), value, remember)


def total_variation() -> Objective:
    """The mean absolute difference of neighbours in the model's input; give it a minus sign."""

    def value(activations: Activations, memory: Memory) -> tf.Tensor:
        image = activations[INPUT]
        total = tf.zeros(tf.shape(image)[:1])
        for axis in range(1, image.shape.rank - 1):
            ahead = tf.roll(image, -1, axis)
            keep = [slice(None)] * axis + [slice(None, -1)]
            difference = tf.abs(ahead - image)[tuple(keep)]
            total += tf.reduce_mean(difference, _all_but_batch(image))
        return total

    return Objective("total_variation()", frozenset(), value)


def functions() -> dict[str, Callable[..., Objective]]:
    """The objectives by name."""
    return {
        name: function
        for name, function in inspect.getmembers(sys.modules[__name__], inspect.isfunction)
        if function.__annotations__.get("return") is Objective
        and name != "parse"
        and not name.startswith("_")
    }


def parse(expression: str, default_layer: str) -> Objective:
    """Read an objective from text.

    Args:
      expression: calls of the functions here, joined by + and −, scaled by numbers with *. Layer
        names stand as they are: ``2*layer_norm(conv3) + layer_norm(conv4)``.
      default_layer: for calls that leave their layer out: ``layer_norm()``.

    Raises:
      ConfigError: naming what it does not understand.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        raise ConfigError(f"objective '{expression}' cannot be read; {_example()}") from None
    result = _evaluate(tree, expression, default_layer)
    if not isinstance(result, Objective):
        raise ConfigError(f"objective '{expression}' is only a number; {_example()}")
    return result


def _evaluate(node: ast.expr, expression: str, default_layer: str) -> Objective | float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, expression, default_layer)
        case ast.BinOp(left=left, op=operation, right=right):
            sides = (
                _evaluate(left, expression, default_layer),
                _evaluate(right, expression, default_layer),
            )
            if type(operation) in _OPERATORS:
                with suppress(TypeError):  # a product of two objectives, a number added to one
                    return _OPERATORS[type(operation)](*sides)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
            return _call(name, arguments, keywords, default_layer)
    text = ast.unparse(node)
    raise ConfigError(f"objective '{expression}': '{text}' is not understood; {_example()}")


def _call(
    name: str, arguments: list[ast.expr], keywords: list[ast.keyword], default_layer: str
) -> Objective:
    known = functions()
    if name not in known:
        raise ConfigError(f"objective '{name}' is not one of: {', '.join(known)}")
    values = [_argument(argument) for argument in arguments]
    named = {keyword.arg or "**": _argument(keyword.value) for keyword in keywords}
    signature = inspect.signature(known[name])
    parameters = list(signature.parameters)
    if parameters[:1] == ["layer"] and not values and "layer" not in named:
        named["layer"] = default_layer
    try:
        bound = signature.bind(*values, **named)
    except TypeError as error:
        raise ConfigError(f"objective {name}({', '.join(parameters)}): {error}") from None
    if "layer" in bound.arguments:  # a layer's name may look like a number
        bound.arguments["layer"] = str(bound.arguments["layer"])
    return known[name](*bound.args, **bound.kwargs)


def _argument(node: ast.expr) -> str | float:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return node.value
    return ast.unparse(node)


def _all_but_batch(tensor: tf.Tensor) -> list[int]:
    return list(range(1, tensor.shape.rank))


def _example() -> str:
    return "write for example 0.7*layer_norm(conv3) - 0.01*total_variation()"
