"""JSON and YAML that somebody else may have written: read as plain data, and only so much of it.

Nothing in a document is executed, and nothing in it makes it larger than its file.
"""

import errno
import json
import os
from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 1 << 28
"""Of a document: a dataset of a million tracks is described in a half of it."""


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
      OSError: if it cannot be read.
      ValueError: if it is not JSON, nested too deeply, or larger than `MOST_BYTES`.
    """
    try:
        return json.loads(_read(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; see `parse_yaml`.

    Raises:
      OSError: if it cannot be read.
      ValueError: if it is not YAML, or larger than `MOST_BYTES`.
    """
    return parse_yaml(_read(path))


def parse_yaml(text: str) -> Any:
    """The content of a YAML text: mappings, lists, and plain values.

    Aliases (``*name``) are refused: a few lines of them stand for more values than fit into memory.

    Raises:
      ValueError: if it is not YAML, holds an alias or a value that does not fit its tag, or is
        nested too deeply.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except (AttributeError, IndexError, KeyError) as error:  # PyYAML's, of a tag such as !!int ''
        raise ValueError(f"a value does not fit its tag ({' '.join(str(error).split())})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain data, without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(
                f"an alias in line {mark.line + 1}, which is not followed; write out what it means"
            )
        return super().compose_node(parent, index)


def _read(path: Path) -> str:
    if not path.is_file():  # a pipe would keep us waiting
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    return content.decode("utf-8")
