"""Standard input and named pipes."""

import contextlib
import errno
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from strategies import noise

from tfdream import audio
from tfdream.audio import pipes

RATE = 8000


@pytest.fixture
def path(tmp_path):
    soundfile.write(tmp_path / "a.flac", noise(20_000, 2), RATE)
    return tmp_path / "a.flac"


def test_a_named_pipe_is_read_several_times(tmp_path, path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(path.read_bytes()))
    writer.start()
    for _ in range(2):
        np.testing.assert_array_equal(audio.read(fifo)[0], audio.read(path)[0])
    writer.join()


READ_TWICE = """
import sys
from tfdream import audio

for _ in range(2):
    with audio.Reader(sys.argv[1], isolated=True) as reader:
        print(sum(map(len, reader.blocks())))
"""


@pytest.mark.parametrize("kind", ["pipe", "file"])
@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input_is_read_several_times(path, name, kind):
    command = [sys.executable, "-c", READ_TWICE, name]
    if kind == "pipe":
        result = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True)
    else:
        with path.open("rb") as file:
            result = subprocess.run(command, stdin=file, capture_output=True, check=True)
    assert result.stdout.split() == [b"20000", b"20000"]


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "'{path}' is empty"), (b"text", "ffmpeg -i '{path}' 'fifo.wav'")],
)
def test_errors_contain_the_name_of_the_pipe(
    tmp_path, monkeypatch, message, isolated, content, words
):
    path = tmp_path / "fifo"
    path.write_bytes(content)
    monkeypatch.setattr(pipes, "is_pipe", lambda each: each == path)
    text = message(audio.Reader, path, isolated)
    assert text.startswith(f"'{path}' ")
    assert text.endswith(words.format(path=path))


def test_closed_standard_input_is_an_error(monkeypatch, message):
    monkeypatch.setattr(sys, "stdin", None)
    assert "'-' is closed; redirect standard input" in message(audio.read, "-")


def test_a_read_error_is_one_of_the_pipe(tmp_path, monkeypatch, message, path):
    def read(descriptor, size):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pipes, "is_pipe", lambda each: each == path)
    monkeypatch.setattr(pipes.os, "read", read)
    assert message(audio.read, path) == f"'{path}' cannot be read (Input/output error)"


def test_a_pipe_that_nobody_writes_to_is_an_error(tmp_path, monkeypatch, message):
    monkeypatch.setattr(pipes, "WAIT_SECONDS", 0.1)
    os.mkfifo(tmp_path / "fifo")
    assert message(audio.read, tmp_path / "fifo").endswith("fifo' sends nothing for 0.1 s")


def test_the_size_of_a_pipe_is_limited(tmp_path, monkeypatch, message, path):
    monkeypatch.setattr(pipes, "MAX_BYTES", 1000)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write():
        with contextlib.suppress(BrokenPipeError):
            fifo.write_bytes(path.read_bytes())

    writer = threading.Thread(target=write)
    writer.start()
    assert "sends more than 1000 bytes" in message(audio.read, fifo)
    writer.join()
