"""Networks that others published, converted to run folders.

Each module of this package describes one file to download:

- ``PRESETS``: the names of the presets that it contains,
- ``TITLE``: what they are, in one line,
- ``URL`` and ``SHA256`` of the file,
- ``convert(file: Path, folder: Path) -> None``: writes a run folder with a card into `folder` for
  each preset, named like the preset.

Modules are discovered by listing the package.
"""

import importlib
from pathlib import Path
from typing import Protocol, cast

from tfdream.config.registry import list_modules


class Download(Protocol):
    """The interface of the modules of this package."""

    PRESETS: tuple[str, ...]
    TITLE: str
    URL: str
    SHA256: str

    def convert(self, file: Path, folder: Path) -> None:
        """Write the run folder of each preset into `folder`."""


def names() -> list[str]:
    """Return the names of the downloads."""
    return list_modules(__name__)


def load(name: str) -> Download:
    """Return the module of a download."""
    return cast(Download, importlib.import_module(f"{__name__}.{name}"))
