"""JSON and YAML from untrusted sources, read as plain data and up to a limited size.

Reading a document executes nothing, and the result cannot be much larger than the file.
"""

import errno
import json
import os
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1 << 28
"""Size limit of a document. The description of a dataset of a million tracks takes half of it."""


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is not JSON, is nested too deeply, or is larger than `MAX_BYTES`.
    """
    try:
        return json.loads(_read(Path(path)))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file; see `parse_yaml`.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is not YAML, or is larger than `MAX_BYTES`.
    """
    return parse_yaml(_read(Path(path)))


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML text: mappings, lists, and plain values.

    Aliases (``*name``) are rejected: a few lines of them can expand to more values than fit into
    memory.

    Raises:
      ValueError: if the text is not YAML, contains an alias or a value that does not fit its tag,
        or is nested too deeply.

    >>> parse_yaml("octaves: {count: 3, ratio: 1.4}")
    {'octaves': {'count': 3, 'ratio': 1.4}}
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except (AttributeError, IndexError, KeyError) as error:  # PyYAML's, for a tag such as !!int ''
        raise ValueError(f"a value does not fit its tag ({' '.join(str(error).split())})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain data, without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call, unused-ignore]
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"the alias in line {line} is not supported; write out the value")
        return super().compose_node(parent, index)


def _read(path: Path) -> str:
    if not path.is_file():  # reading a pipe would block
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    return content.decode("utf-8")
