"""Audio from pipes: standard input (`-`) and named pipes are copied to a temporary file once.

Commands read their input several times, which a pipe does not support.
"""

import atexit
import os
import re
import select
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tfdream.errors import AudioError, OutputError

STANDARD_INPUT = "-"
MAX_BYTES = 4 << 30
"""Limit of the size of the temporary file; that of a wav file."""
WAIT_SECONDS = 60.0
"""Longest time without data from a pipe, as nobody may ever write to it."""
_CHUNK_BYTES = 1 << 20
_DESCRIPTOR = re.compile(r"/dev/stdin|(?:/dev|/proc/self)/fd/\d+")


def is_pipe(path: Path) -> bool:
    """Return whether a path is `-`, a named pipe, such as `<(command)` of a shell, or `/dev/stdin`.

    A file that is open as `/dev/stdin` or `/dev/fd/3` is another one in the process that decodes.
    """
    if str(path) == STANDARD_INPUT or path.is_fifo():
        return True
    return _DESCRIPTOR.fullmatch(str(path)) is not None and path.is_file()


class _Copies:
    """Temporary files by pipe, removed when the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: str | None = None
        self._copies: dict[str, Path] = {}

    def copy(self, path: Path) -> Path:
        """Return the copy of a pipe; the first call makes it.

        Raises:
          AudioError: if the pipe is a terminal or closed, cannot be read, sends nothing, or more
            than `MAX_BYTES`.
          OutputError: if the folder of temporary files is full.
        """
        with self._lock:
            name = str(path)
            if name not in self._copies:
                if self._folder is None:
                    self._folder = tempfile.mkdtemp(prefix="tfdream-")
                    atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
                plain = "standard_input" if name == STANDARD_INPUT else path.name[:200]
                target = Path(self._folder) / str(len(self._copies)) / plain
                _write(path, target)
                self._copies[name] = target
            return self._copies[name]


_COPIES = _Copies()


def copied(path: Path) -> Path:
    """Return the temporary file that has the content of a pipe, or a path that is none itself.

    Raises:
      AudioError: if the pipe is a terminal or closed, cannot be read, sends nothing for
        `WAIT_SECONDS`, or sends more than `MAX_BYTES`.
      OutputError: if the folder of temporary files is full.
    """
    return _COPIES.copy(path) if is_pipe(path) else path


def _write(path: Path, target: Path) -> None:
    size = 0
    try:
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as file:
            for chunk in _chunks(path):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise AudioError(
                        f"'{path}' sends more than {MAX_BYTES} bytes; write them to a file first"
                    )
                file.write(chunk)
    except OSError as error:
        raise OutputError(
            f"the data from '{path}' do not fit into the temporary folder '{target.parent}' "
            f"({error.strerror}); set TMPDIR to another folder"
        ) from None


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a pipe."""
    is_standard = str(path) == STANDARD_INPUT
    if is_standard and sys.stdin is None:
        raise AudioError("'-' is closed; redirect standard input from a file or a pipe")
    descriptor = sys.stdin.fileno() if is_standard else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if os.isatty(descriptor):
            raise AudioError("'-' is the terminal; redirect standard input from a file or a pipe")
        is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        while True:
            if not is_regular and not select.select([descriptor], [], [], WAIT_SECONDS)[0]:
                raise AudioError(f"'{path}' sends nothing for {WAIT_SECONDS:g} s")
            try:
                chunk = os.read(descriptor, _CHUNK_BYTES)
            except OSError as error:
                raise AudioError(f"'{path}' cannot be read ({error.strerror})") from None
            if not chunk:
                return
            yield chunk
    finally:
        if not is_standard:
            os.close(descriptor)
