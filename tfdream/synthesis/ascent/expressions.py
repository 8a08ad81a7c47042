"""Objectives as text: ``0.7*layer_norm(conv3) - 0.01*total_variation()``."""

import ast
import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent import objectives
from tfdream.synthesis.ascent.objectives import Objective, quoted

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}

# Letters of an expression that a message repeats.
_SHOWN = 200


def functions() -> dict[str, Callable[..., Objective]]:
    """The objectives by name."""
    return {
        name: function
        for name, function in inspect.getmembers(objectives, inspect.isfunction)
        if function.__annotations__.get("return") is Objective and not name.startswith("_")
    }


def layer_norms(layers: Iterable[str]) -> str:
    """The expression of the norms of some layers, added."""
    return " + ".join(f"layer_norm({quoted(layer)})" for layer in layers)


def parse(expression: str, default_layer: str, labels: Sequence[str] = ()) -> Objective:
    """Read an objective from text.

    Args:
      expression: calls of the functions here, joined by + and −, scaled by numbers with *. Names of
        layers and labels stand as they are, in quotes if they are no words:
        ``2*layer_norm(conv3) + class_logit('hip hop')``.
      default_layer: for calls that leave their layer out: ``layer_norm()``.
      labels: of the network, in its order.

    Raises:
      ConfigError: naming what it does not understand.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        result = _Reader(expression, default_layer, labels).read(tree)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        shown = expression if len(expression) < _SHOWN else f"{expression[:_SHOWN]}…"
        raise ConfigError(f"objective '{shown}' cannot be read; {_example()}") from None
    if not isinstance(result, Objective):
        raise ConfigError(f"objective '{expression}' is only a number; {_example()}")
    return result


@dataclass(frozen=True)
class _Reader:
    """Reads the syntax tree of an expression."""

    expression: str
    default_layer: str
    labels: Sequence[str]

    def read(self, node: ast.expr) -> Objective | float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand)
            case ast.BinOp(left=left, op=operation, right=right):
                sides = self.read(left), self.read(right)
                if type(operation) in _OPERATORS:
                    with suppress(TypeError):  # a product of two objectives, a number added to one
                        return _OPERATORS[type(operation)](*sides)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                return self._call(name, arguments, keywords)
        text = ast.unparse(node)
        raise ConfigError(
            f"objective '{self.expression}': '{text}' is not understood; {_example()}"
        )

    def _call(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Objective:
        known = functions()
        if name not in known:
            raise ConfigError(f"objective '{name}' is not one of: {', '.join(known)}")
        values = [_argument(argument) for argument in arguments]
        named: dict[str, Any] = {given.arg or "**": _argument(given.value) for given in keywords}
        signature = inspect.signature(known[name])
        parameters = [parameter for parameter in signature.parameters if parameter != "labels"]
        if parameters[:1] == ["layer"] and not values and "layer" not in named:
            named["layer"] = self.default_layer
        if "labels" in signature.parameters:
            named["labels"] = self.labels
        try:
            bound = signature.bind(*values, **named)
        except TypeError as error:
            raise ConfigError(f"objective {name}({', '.join(parameters)}): {error}") from None
        for parameter, value in bound.arguments.items():
            kind = signature.parameters[parameter].annotation
            if kind is str:  # a layer's name may look like a number
                bound.arguments[parameter] = str(value)
            elif kind in (int, float) and not isinstance(value, int | kind):
                kinds = {int: "a whole number", float: "a number"}
                raise ConfigError(
                    f"objective {name}({', '.join(parameters)}): {parameter}={value} is not "
                    f"{kinds[kind]}"
                )
        return known[name](*bound.args, **bound.kwargs)


def _argument(node: ast.expr) -> str | float:
    with suppress(ValueError):
        value = ast.literal_eval(node)
        if isinstance(value, str | int | float):
            return value
    return ast.unparse(node)


def _example() -> str:
    return "write for example 0.7*layer_norm(conv3) - 0.01*total_variation()"
