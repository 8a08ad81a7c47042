"""A shorter import of Keras, which shortens the start of a command by a quarter.

Keras imports scikit-learn, Matplotlib and pandas where they are installed, for its wrappers,
galleries and tables. No command uses those, and the packages are imported later where they are
needed.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

_OPTIONAL = ("sklearn", "matplotlib", "pandas")


def shorten_keras() -> None:
    """Let the next import of Keras in this process skip its optional packages."""
    if "keras" not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds Keras with a loader that hides the optional packages while it runs.

    It serves any number of searches, because TensorFlow looks for Keras before it imports it.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of Keras, and None for every other module."""
        if fullname != "keras":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        """Resources and source code are those of the original loader."""
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _hidden(_OPTIONAL):
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
