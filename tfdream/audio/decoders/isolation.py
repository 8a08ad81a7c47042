"""Decoding in another process, which a damaged file may crash, block or fill.

Each open file has a process of its own, with limits of memory and time. Closing the file returns
the process to a pool, and the next file uses it again, so that most programs start one or two.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tfdream.audio.decoders.base import BLOCK_SAMPLES, AudioInfo, Damage, Decoder
from tfdream.audio.decoders.limits import (
    CUTTING_MEMORY_BYTES,
    STALL_SECONDS,
    describe_exit,
    exiting_on_stall,
    limit_process,
)
from tfdream.audio.streams import Samples
from tfdream.errors import AudioError

VARIABLE = "TFDREAM_ISOLATE"
"""Environment variable: with 0, files are decoded in the process that reads them."""
_GUARDED = "guarded"
"""Value of the variable in processes that are isolated themselves."""
MAX_IDLE = 2
"""Processes that wait for another file; two, because many commands read two files at a time."""
_MAX_REPLY_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
"""Limit of Linux for users."""
_MAIN = (
    "import sys; descriptors = map(int, sys.argv[1:3]); sys.path[:] = sys.argv[3:]; "
    "from tfdream.audio.decoders.worker import main; main(*descriptors)"
)


def is_enabled() -> bool:
    """Return whether files are decoded in another process by default."""
    return os.name == "posix" and os.environ.get(VARIABLE) not in ("0", _GUARDED)


def decode_here() -> None:
    """Decode the files that this process reads in itself: its parent expects it to crash.

    The memory of the process is limited, and it exits if a file blocks its decoder.
    """
    os.environ[VARIABLE] = _GUARDED
    limit_process(CUTTING_MEMORY_BYTES)


def guarded(open_here: Callable[[Path], Decoder], path: Path) -> Decoder:
    """Open a file in this process, and return its decoder.

    After `decode_here`, the process ends if opening the file or a block takes too long.
    """
    if os.environ.get(VARIABLE) != _GUARDED:
        return open_here(path)
    with exiting_on_stall():
        decoder = open_here(path)
    return _GuardedDecoder(decoder)


class _GuardedDecoder:
    """Decoder that ends the process if a block takes too long; see `guarded`."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.info = decoder.info
        self.close = decoder.close

    @property
    def damage(self) -> Damage | None:
        return self._decoder.damage

    def blocks(self) -> Iterator[Samples]:
        blocks = self._decoder.blocks()
        while True:
            with exiting_on_stall():
                block = next(blocks, None)
            if block is None:
                return
            yield block


class _WorkerError(Exception):
    """The process has ended or did not answer; the text is the reason."""


class _Worker:
    """A process that decodes one file at a time."""

    def __init__(self) -> None:
        their_requests, requests = os.pipe()
        replies, their_replies = os.pipe()
        _enlarge(replies)
        self._requests = Connection(requests, readable=False)
        self._replies = Connection(replies, writable=False)
        # The path of this process, so that both import the same package; no module of the current
        # folder is imported. One thread of BLAS, because decoding needs none.
        theirs = (their_requests, their_replies)
        command = [sys.executable, "-I", "-c", _MAIN, *map(str, theirs), *filter(None, sys.path)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=theirs,
                env=environment,
            )
        except OSError as error:
            raise AudioError(
                f"the process that decodes files cannot be started ({error.strerror}); "
                f"set {VARIABLE}=0 to decode without one"
            ) from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._owner = os.getpid()

    def send(self, action: str, **arguments: str) -> None:
        """Send a request.

        Raises:
          _WorkerError: if the process has ended.
        """
        try:
            self._requests.send_bytes(json.dumps({"do": action, **arguments}).encode())
        except OSError:
            raise _WorkerError(self._exit_reason()) from None

    def receive(self) -> dict[str, Any]:
        """Return the reply to a request.

        Raises:
          _WorkerError: if the process has ended or does not reply.
        """
        reply: dict[str, Any] = json.loads(self._receive(_MAX_REPLY_BYTES))
        return reply

    def receive_block(self, samples: int, channels: int) -> Samples:
        """Return the block of samples that follows a reply."""
        if not 0 < samples <= BLOCK_SAMPLES:
            raise _WorkerError(f"the decoder sent a block of {samples} samples")
        block = np.empty((samples, channels), np.float32)
        rest = block.data.cast("B")
        while rest:  # without the copies that `recv_bytes` makes
            self._wait()
            received = os.readv(self._replies.fileno(), [rest])
            if not received:
                raise _WorkerError(self._exit_reason())
            rest = rest[received:]
        return block

    def _receive(self, max_bytes: int) -> bytes:
        self._wait()
        try:
            return self._replies.recv_bytes(max_bytes)
        except (EOFError, OSError):
            raise _WorkerError(self._exit_reason()) from None

    def _wait(self) -> None:
        """Wait for data of the process, or its end."""
        if not self._replies.poll(STALL_SECONDS):
            raise _WorkerError(f"the decoder did not respond for {STALL_SECONDS:g} s")

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process; a forked child leaves it to its parent."""
        if os.getpid() == self._owner:
            self._process.kill()
            self._process.wait()
        self._requests.close()
        self._replies.close()

    def _exit_reason(self) -> str:
        try:
            return describe_exit(self._process.wait(timeout=1))
        except subprocess.TimeoutExpired:
            return "the decoder closed its connection"


class _Pool:
    """Processes that wait for a file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        atexit.register(self.clear)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def take(self) -> _Worker:
        """Return a waiting process, or a new one."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                worker.stop()
        return _Worker()

    def give_back(self, worker: _Worker) -> None:
        """Let a process wait for another file."""
        with self._lock:
            if len(self._idle) < MAX_IDLE:
                self._idle.append(worker)
                return
        worker.stop()

    def clear(self) -> None:
        """End the waiting processes."""
        with self._lock:
            while self._idle:
                self._idle.pop().stop()

    def _forget(self) -> None:
        # A forked child must not use the connections of its parent.
        self._lock = threading.Lock()
        self._idle = []


_POOL = _Pool()


def start_early(count: int = 1) -> None:
    """Start processes that the first files will use, without waiting for them.

    A command that calls it before it imports TensorFlow does not wait for their start.
    """
    if is_enabled():
        for worker in [_POOL.take() for _ in range(min(count, MAX_IDLE))]:
            _POOL.give_back(worker)


def _enlarge(descriptor: int) -> None:
    """Let a pipe hold a block of samples, so that it is sent in one piece."""
    with contextlib.suppress(ImportError, AttributeError, OSError):  # other systems, or a quota
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def read_comment(path: Path) -> str | None:
    """Return the comment in the tags of a file, read by another process.

    Raises:
      AudioError: if the file cannot be read, or crashes or blocks its decoder.
    """
    worker = _POOL.take()
    try:
        worker.send("comment", path=str(path.absolute()))
        reply = worker.receive()
    except _WorkerError as failure:
        worker.stop()
        raise AudioError(f"'{path}' cannot be decoded: {failure}") from None
    except BaseException:  # such as Ctrl-C: a part of the reply may have been received
        worker.stop()
        raise
    _POOL.give_back(worker)
    if "error" in reply:
        raise _error(reply, path)
    comment: str | None = reply["comment"]
    return comment


def _error(reply: dict[str, Any], path: Path) -> AudioError:
    """Return the error of a reply, with the path as the caller gave it."""
    return AudioError(reply["error"].replace(str(path.absolute()), str(path)))


class IsolatedDecoder:
    """An audio file that another process decodes; see `Decoder`.

    Raises:
      AudioError: if the file cannot be decoded, or crashes or blocks its decoder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._expects_reply = False
        self._worker: _Worker | None = None
        self._worker = _POOL.take()
        self.damage: Damage | None = None
        reply = self._request("open", path=str(path.absolute()))
        self.info = AudioInfo(*reply["info"])

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples from the start of the file; see `Decoder`."""
        self.damage = None
        self._skip_reply()
        self._send("start")
        while True:
            reply = self._receive()
            if "shape" not in reply:
                self.damage = Damage(**reply["damage"])
                return
            block = self._receive_block(reply["shape"])
            self._send("next")  # it decodes the next block while the caller uses this one
            yield block

    def close(self) -> None:
        """Close the file, and keep its process for another one."""
        if self._worker is None:
            return
        try:
            self._request("close")
        except AudioError:
            return
        worker, self._worker = self._worker, None
        _POOL.give_back(worker)

    def __del__(self) -> None:
        self._discard()

    def _request(self, action: str, **arguments: str) -> dict[str, Any]:
        self._skip_reply()
        self._send(action, **arguments)
        return self._receive()

    def _skip_reply(self) -> None:
        """Receive the block that was requested ahead and is not needed."""
        if self._expects_reply:
            reply = self._receive()
            if "shape" in reply:
                self._receive_block(reply["shape"])

    def _send(self, action: str, **arguments: str) -> None:
        with self._failures() as worker:
            worker.send(action, **arguments)
            self._expects_reply = True

    def _receive(self) -> dict[str, Any]:
        with self._failures() as worker:
            reply = worker.receive()
            self._expects_reply = False
        if "error" in reply:
            self.close()
            raise _error(reply, self._path)
        return reply

    def _receive_block(self, shape: Sequence[int]) -> Samples:
        with self._failures() as worker:
            return worker.receive_block(shape[0], self.info.channels)

    @contextmanager
    def _failures(self) -> Iterator[_Worker]:
        """Yield the process, and end it if the block fails or is interrupted."""
        if self._worker is None:
            raise AudioError(f"'{self._path}' is closed")
        try:
            yield self._worker
        except _WorkerError as failure:
            self._discard()
            raise AudioError(f"'{self._path}' cannot be decoded: {failure}") from None
        except BaseException:  # such as Ctrl-C: a part of a reply may have been received
            self._discard()
            raise

    def _discard(self) -> None:
        if self._worker:
            self._worker.stop()
        self._worker = None
