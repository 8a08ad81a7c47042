"""The process that decodes files for another one. It runs no other code of the package.

Requests and replies are JSON; a block of samples follows its reply as raw bytes. Nothing is
unpickled on either side, so that a decoder that a file took over cannot run code in the parent.
"""

import json
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tfdream.audio.decode import open_here
from tfdream.audio.decoders.base import Decoder
from tfdream.audio.decoders.errors import audio_errors
from tfdream.audio.decoders.limits import exiting_on_stall, ignore_interrupts, limit_process
from tfdream.audio.streams import Samples
from tfdream.errors import AudioError


def main(requests: int, replies: int) -> None:
    """Serve the requests of the parent until it ends.

    Args:
      requests: descriptor of the pipe that requests come from.
      replies: descriptor of the pipe that replies go to.
    """
    ignore_interrupts()
    limit_process()
    receiver = Connection(requests, writable=False)
    sender = Connection(replies, readable=False)
    session = _Session()
    while True:
        try:
            request = json.loads(receiver.recv_bytes())
            with exiting_on_stall():
                reply, block = session.answer(request)
            sender.send_bytes(json.dumps(reply).encode())
            if block is not None:
                rest = np.ascontiguousarray(block, np.float32).data.cast("B")
                while rest:
                    rest = rest[os.write(replies, rest) :]
        except (EOFError, OSError):  # the parent has ended
            return


class _Session:
    """The file that is open, if any."""

    def __init__(self) -> None:
        self._path = Path()
        self._decoder: Decoder | None = None
        self._blocks: Iterator[Samples] = iter(())

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], Samples | None]:
        """Return the reply to a request, and a block of samples if it has one."""
        self._path = Path(request.get("path", self._path))
        try:
            with audio_errors(self._path):
                return self._answer(request["do"])
        except AudioError as error:
            return {"error": str(error)}, None

    def _answer(self, action: str) -> tuple[dict[str, Any], Samples | None]:
        if action == "open":
            self._close()
            self._decoder = open_here(self._path)
            return {"info": self._decoder.info}, None
        if action == "comment":
            from tfdream.audio.decoders import libav

            return {"comment": libav.read_comment(self._path)}, None
        if action == "close" or self._decoder is None:
            self._close()
            return {}, None
        if action == "start":
            self._blocks = self._decoder.blocks()
        block = next(self._blocks, None)
        if block is None:
            damage = self._decoder.damage
            return {"damage": {} if damage is None else vars(damage)}, None
        return {"shape": block.shape}, block

    def _close(self) -> None:
        if self._decoder:
            self._decoder.close()
        self._decoder, self._blocks = None, iter(())
