"""JSON and YAML from untrusted sources, read as plain data and up to a limited size.

Reading a document executes nothing, and the result cannot be much larger than the file.
"""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

from tfdream.errors import one_line

MAX_BYTES = 1 << 28
"""Size limit of JSON. The description of a dataset of a million tracks takes half of it."""
MAX_YAML_BYTES = 1 << 18
"""Size limit of YAML, which holds settings only; PyYAML reads about 100 kB in a second."""
_MAX_DIGITS = 30
"""Digits of a number; Python refuses to print an integer with some thousands of them."""
_INTEGERS = range(-(2**63), 2**63)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|\\U0000[dD][89a-fA-F]")


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file; see `parse_json`.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is not JSON, or is larger than `MAX_BYTES`.
    """
    return parse_json(_read(Path(path), MAX_BYTES))


def parse_json(text: str) -> Any:
    """Return the content of a JSON text.

    Raises:
      ValueError: if the text is not JSON, is nested too deeply, or contains an integer of more than
        64 bits or a text that is not valid Unicode.

    >>> parse_json('{"folds": [0, 1]}')
    {'folds': [0, 1]}
    """
    try:
        content = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_unicode(text, content)
    return content


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file; see `parse_yaml`.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is not YAML, or is larger than `MAX_YAML_BYTES`.
    """
    return parse_yaml(_read(Path(path), MAX_YAML_BYTES))


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML text: mappings, lists, and plain values.

    Aliases (``*name``) are rejected: a few lines of them can expand to more values than fit into
    memory.

    Raises:
      ValueError: if the text is not YAML, contains an alias, a value that does not fit its tag, an
        integer of more than 64 bits or a text that is not valid Unicode, or is nested too deeply.

    >>> parse_yaml("octaves: {count: 3, ratio: 1.4}")
    {'octaves': {'count': 3, 'ratio': 1.4}}
    """
    try:
        content = yaml.load(text, _Loader)
        _check_unicode(text, content)
    except yaml.YAMLError as error:
        raise ValueError(one_line(error)) from None
    # PyYAML raises these for values such as !!int '' and !!timestamp with a large offset.
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"a value does not fit its tag ({one_line(error)})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return content


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain data, without aliases and with limited numbers."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call, unused-ignore]  # no types in PyYAML
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"the alias in line {line} is not supported; write out the value")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        self._check_digits(node)
        value: int = super().construct_yaml_int(node)
        if value not in _INTEGERS:
            raise yaml.YAMLError(_too_large(node.value))
        return value

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        self._check_digits(node)
        value: float = super().construct_yaml_float(node)
        return value

    def _check_digits(self, node: yaml.ScalarNode) -> None:
        if len(str(node.value)) > _MAX_DIGITS:
            raise yaml.YAMLError(_too_large(node.value))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= _MAX_DIGITS else None
    if value is None or value not in _INTEGERS:
        raise ValueError(_too_large(digits))
    return value


def _too_large(digits: str) -> str:
    return f"the number {digits[:_MAX_DIGITS]} is too long; the limit is 64 bits"


def _check_unicode(text: str, content: Any) -> None:
    """Reject half of a surrogate pair, which an escape sequence can produce."""
    if not _SURROGATE.search(text):
        return
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            pending += value
        elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("it contains a text that is not valid Unicode")


def _read(path: Path, max_bytes: int) -> str:
    if not path.is_file():  # reading a pipe would block
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes} bytes")
    return content.decode("utf-8")
