"""Modules placed in a registry's package for the duration of a test."""

import importlib
import sys
from contextlib import contextmanager


@contextmanager
def extension(package, folder, name, source):
    """Make a module of a temporary folder discoverable as part of a package.

    Args:
      package: full name of the package that the registry lists.
      folder: where the module is written.
      name: name of the module.
      source: its code.
    """
    (folder / f"{name}.py").write_text(source)
    module = importlib.import_module(package)
    module.__path__.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        module.__path__.remove(str(folder))
        sys.modules.pop(f"{package}.{name}", None)
        vars(module).pop(name, None)
