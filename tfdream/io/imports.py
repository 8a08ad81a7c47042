"""Shorter imports of TensorFlow and Keras, which take most of the start of a command.

Keras imports scikit-learn, Matplotlib and pandas where they are installed, for its wrappers,
galleries and tables. No command uses those, and the packages are imported later where they are
needed. Python looks for garbage after every 700 new objects, which are hundreds of thousands in
the modules of TensorFlow and stay: that takes a third of its import.
"""

import gc
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

_HIDDEN: dict[str, tuple[str, ...]] = {
    "tensorflow": (),
    "keras": ("sklearn", "matplotlib", "pandas"),
}
"""Packages whose import is shortened, and the optional packages that each one skips."""


def shorten_imports() -> None:
    """Make the next imports of TensorFlow and Keras in this process shorter."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds packages with a loader that shortens their import.

    It serves any number of searches, because TensorFlow looks for Keras before it imports it.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of a listed package, and None for every other module."""
        if fullname not in _HIDDEN:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, _HIDDEN[fullname])
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, hidden: Sequence[str]) -> None:
        self._loader = loader
        self._hidden = hidden

    def __getattr__(self, name: str) -> object:
        """Resources and source code are those of the original loader."""
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _hidden(self._hidden), _without_collection():
            self._loader.exec_module(module)


@contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """Make the import of some packages fail, unless they have been imported before.

    Source: "The module cache" in the reference of Python's import system.
    """
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: not found
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Collect no garbage, and exempt the objects that exist afterwards from later collections."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
