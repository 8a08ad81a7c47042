import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner

from tfdream.commands.console import command, printable
from tfdream.errors import AudioError


def told(error):
    """What a command says that meets an error, and its exit code."""

    @command("meet")
    def meet():
        raise error

    done = CliRunner().invoke(meet)
    assert isinstance(done.exception, SystemExit)
    (line,) = done.stderr.splitlines()
    return line, done.exit_code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "x", "out.wav"), "'out.wav': No space left on device; make room"),
        (PermissionError(errno.EACCES, "x", "out.wav"), "'out.wav': Permission denied"),
        (OSError(errno.ENAMETOOLONG, "x", "a" * 300), "File name too long"),
        (OSError("HDF5 says\nso"), "Error: HDF5 says so"),
        (MemoryError("of 3 TB"), "no room is left in memory or on the disk (of 3 TB)"),
        (tf.errors.ResourceExhaustedError(None, None, "No space"), "on the disk (No space)"),
        (
            tf.errors.ResourceExhaustedError(None, None, "{{node a}} a; No space"),
            "disk (a; No space)",
        ),
        (AudioError("'a\nb\x1b[31m.wav' is empty"), r"Error: 'a\nb\x1b[31m.wav' is empty"),
    ],
)
def test_what_the_system_refuses_is_one_line(error, line):
    text, code = told(error)
    assert text.startswith("Error: ")
    assert line in text
    assert code == 1


def test_an_error_of_ours_is_not_taken_for_one_of_the_system():
    @command("stumble")
    def stumble():
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(stumble).exception, ZeroDivisionError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", [["configs"], ["configs", "--json"], ["--help"]])
def test_a_result_that_nobody_takes_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tfdream", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: the result cannot be written to standard output: No space left")


def test_what_can_be_printed_is_left_as_it_is():
    assert printable("Müller 🎵 [red] $HOME.wav") == "Müller 🎵 [red] $HOME.wav"


def test_what_ends_a_service_cleans_up(tmp_path):
    """SIGTERM, which comes without a word from who stops a container or a job."""
    script = (
        "import os, signal, pathlib\n"
        "from tfdream.commands.console import command\n"
        "from tfdream.io.atomic import replacing\n"
        "@command('wait')\n"
        "def wait():\n"
        f"    with replacing(pathlib.Path({str(tmp_path / 'out')!r})) as temporary:\n"
        "        temporary.write_text('half')\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
