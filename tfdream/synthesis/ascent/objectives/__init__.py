"""Objectives: differentiable functions of a network's activations, which an ascent maximizes.

Every public function of a module in this package that returns an `Objective` is an objective of
expressions such as ``0.7*layer_norm(conv3) - 0.01*total_variation()``. `functions` finds them by
listing the package, so a new objective is one new module. A parameter named `layer` may be left
out in expressions; one named `labels` receives the labels of the network.
"""

import importlib
import inspect
from collections.abc import Callable

from tfdream.config.registry import list_modules
from tfdream.synthesis.ascent.objectives.base import (
    INPUT,
    LOGITS,
    Activations,
    Objective,
    Reference,
    Targets,
)

__all__ = [
    "INPUT",
    "LOGITS",
    "Activations",
    "Objective",
    "Reference",
    "Targets",
    "functions",
]


def functions() -> dict[str, Callable[..., Objective]]:
    """Return the functions that build objectives, by name.

    Raises:
      ValueError: if two modules define the same name.

    >>> sorted(functions())[:3]
    ['channel', 'class_logit', 'content']
    """
    by_name: dict[str, Callable[..., Objective]] = {}
    for name in list_modules(__name__):
        module = importlib.import_module(f"{__name__}.{name}")
        for function_name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ != module.__name__ or function_name.startswith("_"):
                continue
            if function.__annotations__.get("return") is not Objective:
                continue
            if function_name in by_name:
                raise ValueError(
                    f"{function.__module__} and {by_name[function_name].__module__} both define "
                    f"{function_name}(); rename one"
                )
            by_name[function_name] = function
    return dict(sorted(by_name.items()))
