"""Files that are either whole or not there."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfdream.errors import TfdreamError

_LONGEST_NAME_BYTES = 255
"""Of a file, on the disks that are in use."""
_HIDDEN = ".partial-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place when the block ends well.

    Whatever interrupts the block (an error, Ctrl-C), the temporary file goes and `path` stays as
    it was. A killed process leaves at most the hidden temporary file, which the next one replaces.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        # Of a full disk the system names no file; and nobody asked for the temporary one.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        elif temporary.exists():  # on a read-only disk, even what is not there cannot go
            temporary.unlink()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an error of the system name `path`: of a full disk it names none."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def partial(path: Path) -> Path:
    """Where what `path` is to hold waits until it is whole: beside it, and of its extension.

    Always the same for the same path. A name that would get too long is replaced by its hash.
    """
    hidden = _HIDDEN + path.name
    if len(os.fsencode(hidden)) > _LONGEST_NAME_BYTES:
        hidden = _HIDDEN + hashlib.sha256(os.fsencode(path.name)).hexdigest() + path.suffix[:16]
    return path.with_name(hidden)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows under the names of the last one's columns, whole or not at all."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, fieldnames=list(rows[-1]), extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table that `write_csv` wrote; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_unicode(path: Path) -> bool:
    """Whether a path can be written down: file systems take any bytes for a name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_free(path: Path, force: bool, error: type[TfdreamError]) -> None:
    """Raise `error` if `path` exists already and may not be replaced, or can never be written."""
    if not is_unicode(path):
        raise error(f"output '{path}' has a name that is not valid Unicode; name another")
    size = len(os.fsencode(path.name))
    if size > _LONGEST_NAME_BYTES:
        raise error(
            f"output '{path}' has a name of {size} bytes, more than {_LONGEST_NAME_BYTES}; "
            "name it shorter"
        )
    if path.exists() and not force:
        raise error(f"output '{path}' exists already; name another or use --force to overwrite it")
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise error(f"output '{path}': '{nearest}' is no folder that may be written to")


def check_free_file(path: Path, force: bool, error: type[TfdreamError]) -> None:
    """The same of an output that is a single file, for which no folder makes way."""
    check_free(path, force, error)
    if path.is_dir():
        raise error(f"output '{path}' is a folder; name a file in it")


def check_format(content: Any, newest: int, folder: Path, error: type[TfdreamError]) -> None:
    """Raise `error` if what a folder's description says of its format is newer than we are."""
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > newest:
        raise error(f"'{folder}' was written by a newer tfdream; update this one")
