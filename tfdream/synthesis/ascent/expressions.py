"""Objectives as text: ``0.7*layer_norm(conv3) - 0.01*total_variation()``."""

import ast
import inspect
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tfdream.errors import ConfigError, did_you_mean
from tfdream.synthesis.ascent.objectives import Objective, functions
from tfdream.synthesis.ascent.objectives.base import quoted

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_TYPE_NAMES = {int: "an integer", float: "a number"}

# A first argument without quotes.
_FIRST_ARGUMENT = re.compile(r"\(\s*([^\s'\"(),=][^'\"(),=]{0,200}?)\s*(?=[,)])")

# Longest expression that a message repeats completely, in characters.
_MAX_SHOWN = 200


def layer_norms(layers: Iterable[str]) -> str:
    """Return the expression of the sum of the norms of some layers.

    >>> layer_norms(["conv1", "block 2"])
    "layer_norm(conv1) + layer_norm('block 2')"
    """
    return " + ".join(f"layer_norm({quoted(layer)})" for layer in layers)


def parse(
    expression: str, default_layer: str | Callable[[], str], labels: Sequence[str] = ()
) -> Objective:
    """Build an objective from text.

    Args:
      expression: calls of the functions of `objectives`, joined by + and −, scaled by numbers with
        *. Names of layers and labels are written as they are, and in quotes if they are not
        identifiers: ``2*layer_norm(conv3) + class_logit('hip hop')``.
      default_layer: the layer of calls without one: ``layer_norm()``; or a function that returns
        it, which is called only if it is needed.
      labels: the labels of the network, in its order.

    Raises:
      ConfigError: naming the part that is not valid.

    >>> parse("layer_norm() - 0.01*total_variation()", default_layer="conv3").layers
    frozenset({'conv3'})
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        result = _Evaluator(expression.strip(), default_layer, labels).evaluate(tree)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        shown = expression if len(expression) < _MAX_SHOWN else f"{expression[:_MAX_SHOWN]}…"
        remedy = _quote_names(expression) or _example()
        raise ConfigError(f"objective '{shown}' cannot be parsed; {remedy}") from None
    if not isinstance(result, Objective):
        raise ConfigError(f"objective '{expression}' is only a number; {_example()}")
    return result


@dataclass(frozen=True)
class _Evaluator:
    """Evaluates the syntax tree of an expression."""

    expression: str
    default_layer: str | Callable[[], str]
    labels: Sequence[str]

    def evaluate(self, node: ast.expr) -> Objective | float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.evaluate(operand)
            case ast.BinOp(left=left, op=operation, right=right):
                operands = self.evaluate(left), self.evaluate(right)
                if type(operation) in _OPERATORS:
                    with suppress(TypeError):  # a product of two objectives, a number added to one
                        result: Objective | float = _OPERATORS[type(operation)](*operands)
                        return result
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                return self._call(name, arguments, keywords)
        text = ast.unparse(node)
        raise ConfigError(f"objective '{self.expression}': '{text}' is not valid; {_example()}")

    def _call(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Objective:
        available = functions()
        if name not in available:
            raise ConfigError(
                f"objective '{name}' is not one of: {', '.join(available)}"
                f"{did_you_mean(name, available)}"
            )
        positional = [self._argument(argument) for argument in arguments]
        named: dict[str, Any] = {each.arg or "**": self._argument(each.value) for each in keywords}
        signature = inspect.signature(available[name])
        parameters = [parameter for parameter in signature.parameters if parameter != "labels"]
        usage = f"objective {name}({', '.join(parameters)})"
        if parameters[:1] == ["layer"] and not positional and "layer" not in named:
            layer = self.default_layer
            named["layer"] = layer() if callable(layer) else layer
        if "labels" in signature.parameters:
            named["labels"] = self.labels
        try:
            bound = signature.bind(*positional, **named)
        except TypeError as error:
            raise ConfigError(f"{usage}: {error}") from None
        for parameter, value in bound.arguments.items():
            kind = signature.parameters[parameter].annotation
            if kind is str:  # a name may consist of digits
                bound.arguments[parameter] = str(value)
            elif kind in _TYPE_NAMES and not isinstance(value, int | kind):
                raise ConfigError(f"{usage}: {parameter}={value} is not {_TYPE_NAMES[kind]}")
        return available[name](*bound.args, **bound.kwargs)

    def _argument(self, node: ast.expr) -> str | float:
        """Return a number, a text in quotes, or a name as it is written: ``hip-hop``."""
        with suppress(ValueError):
            value = ast.literal_eval(node)
            if isinstance(value, str | int | float):
                return value
        return ast.get_source_segment(self.expression, node) or ast.unparse(node)


def _quote_names(expression: str) -> str | None:
    """Return the advice to write names in quotes, if the expression is valid with them."""
    quoted_names = _FIRST_ARGUMENT.sub(lambda match: f"({quoted(match[1])}", expression)
    try:
        ast.parse(quoted_names.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return f"write names with spaces or signs in quotes: {quoted_names}"


def _example() -> str:
    return "write for example 0.7*layer_norm(conv3) - 0.01*total_variation()"
