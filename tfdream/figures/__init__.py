"""Figures: each module draws one kind of figure and declares its options for `tfdream plot`.

A module that `tfdream plot` offers holds a class `Options`, a `base.FigureOptions` whose docstring
is the help text, and a function ``draw(options) -> base.Drawing``. The package is listed to find
them: a new figure is one new module. The functions `plot_…` draw arrays or files and return a
matplotlib `Figure`; `parts.sheet.write` writes it as PNG, SVG or PDF.
"""

import importlib
from types import ModuleType

from tfdream.config.registry import list_modules


def names() -> list[str]:
    """Return the names of the figures that `tfdream plot` offers.

    >>> names()[:3]
    ['autocorrelograms', 'channels', 'classes']
    """
    return [name for name in list_modules(__name__) if hasattr(load(name), "Options")]


def load(name: str) -> ModuleType:
    """Import the module of a figure by its name."""
    return importlib.import_module(f"{__name__}.{name}")
