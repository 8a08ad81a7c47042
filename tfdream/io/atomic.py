"""Atomic file writes: an output is complete or does not exist."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfdream.errors import TfdreamError
from tfdream.io.signals import uninterrupted

_MAX_NAME_BYTES = 255
"""Longest file name on common file systems."""
_HIDDEN = ".partial-"


@contextmanager
def replacing(path: str | Path, temporary: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block ends without an error.

    It may become a file or a folder; a folder at `path` is replaced by a folder.

    If an error or Ctrl-C interrupts the block, the temporary file is removed and `path` does not
    change. A killed process leaves at most the hidden temporary file, which the next call with the
    same temporary path replaces.

    Args:
      path: the output.
      temporary: the temporary path, in the same folder; by default `temporary_path(path)`.
        Processes that write one output at the same time must not share it.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("complete")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary or temporary_path(path)
    if temporary.is_dir():  # of a killed process; its files must not become a part of the output
        shutil.rmtree(temporary)
    try:
        yield temporary
        with uninterrupted():  # between the removal of a folder and its replacement
            if temporary.is_dir() and path.is_dir():
                shutil.rmtree(path)
            temporary.replace(path)
    except OSError as error:
        # If the disk is full, the system names no file; the temporary one means nothing to users.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        with uninterrupted():  # a second signal would leave a part of a folder
            if temporary.is_dir():
                shutil.rmtree(temporary)
            elif temporary.exists():  # on a read-only disk, unlinking a missing file fails too
                temporary.unlink()


@contextmanager
def naming_errors(path: str | Path) -> Iterator[None]:
    """Set `path` as the file name of an OSError; if the disk is full, the system names no file."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def temporary_path(path: str | Path) -> Path:
    """Return the hidden file beside `path`, with its extension, that holds unfinished output.

    The result is always the same for the same path. A hash replaces a name that would be too long.

    >>> temporary_path("music/song.flac").as_posix()
    'music/.partial-song.flac'
    """
    path = Path(path)
    hidden = _HIDDEN + path.name
    if len(os.fsencode(hidden)) > _MAX_NAME_BYTES:
        hidden = _HIDDEN + hashlib.sha256(os.fsencode(path.name)).hexdigest() + path.suffix[:16]
    return path.with_name(hidden)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, completely or not at all."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, content: object) -> None:
    """Write `content` as indented JSON, completely or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_csv(
    path: str | Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write rows under column names, completely or not at all.

    Args:
      path: the table; an existing file is replaced.
      rows: the rows by column name.
      columns: the column names; by default those of the last row.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, fieldnames=columns or list(rows[-1]), extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a table that `write_csv` wrote, or no rows if the file does not exist."""
    path = Path(path)
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_unicode(path: str | Path) -> bool:
    """Return whether a path is valid Unicode; file systems accept any bytes as a name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_output(path: str | Path, force: bool, error: type[TfdreamError]) -> None:
    """Raise `error` if `path` exists and `force` is not set, or if it can never be written."""
    path = Path(path)
    if not is_unicode(path):
        raise error(f"output '{path}' has a name that is not valid Unicode; use another name")
    size = len(os.fsencode(path.name))
    if size > _MAX_NAME_BYTES:
        raise error(
            f"output '{path}' has a name of {size} bytes, more than {_MAX_NAME_BYTES}; "
            "use a shorter name"
        )
    if path.exists() and not force:
        raise error(f"output '{path}' exists already; use another name, or --force to overwrite it")
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise error(f"output '{path}': '{nearest}' is not a writable folder")


def check_output_file(path: str | Path, force: bool, error: type[TfdreamError]) -> None:
    """Make the checks of `check_output`, and raise `error` if `path` is a folder."""
    check_output(path, force, error)
    if Path(path).is_dir():
        raise error(f"output '{path}' is a folder; name a file in it")


def check_keeps_inputs(
    path: str | Path,
    inputs: Iterable[str | Path | None],
    error: type[TfdreamError],
    noun: str = "output",
) -> None:
    """Raise `error` if writing `path` would replace one of its inputs; None is ignored."""
    written = Path(path).resolve()
    if any(each is not None and Path(each).resolve() == written for each in inputs):
        raise error(f"{noun} '{path}' would replace its own input; name another {noun}")


def check_format(
    content: object, expected: int, folder: str | Path, error: type[TfdreamError]
) -> None:
    """Raise `error` if a folder's description has another format number than `expected`."""
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version != expected:
        raise error(
            f"'{folder}' has format {version}, this version of tfdream reads format {expected}; "
            "make it again with this version, or install the version that wrote it"
        )
