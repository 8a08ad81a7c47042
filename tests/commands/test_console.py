import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
import tensorflow as tf
from click.testing import CliRunner

from tfdream.commands.console import PARTIAL_FAILURE, command, format_result
from tfdream.errors import AudioError, printable


def message_of(error):
    """Return the message and the exit code of a command that raises an error."""

    @command("fail")
    def fail():
        raise error

    done = CliRunner().invoke(fail)
    assert isinstance(done.exception, SystemExit)
    (line,) = done.stderr.splitlines()
    return line, done.exit_code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "x", "out.wav"), "'out.wav': No space left on device; free some"),
        (PermissionError(errno.EACCES, "x", "out.wav"), "'out.wav': Permission denied"),
        (OSError(errno.ENAMETOOLONG, "x", "a" * 300), "File name too long"),
        (OSError("HDF5 says\nso"), "Error: HDF5 says so"),
        (MemoryError("of 3 TB"), "no space is left in memory or on the disk (of 3 TB)"),
        (tf.errors.ResourceExhaustedError(None, None, "No space"), "on the disk (No space)"),
        (
            tf.errors.ResourceExhaustedError(None, None, "{{node a}} a; No space"),
            "disk (a; No space)",
        ),
        (AudioError("'a\nb\x1b[31m.wav' is empty"), r"Error: 'a\nb\x1b[31m.wav' is empty"),
    ],
)
def test_system_errors_are_reported_in_one_line(error, line):
    text, code = message_of(error)
    assert text.startswith("Error: ")
    assert line in text
    assert code == 1


def test_partial_failure_has_its_own_exit_status():
    @command("batch", failed_partly=lambda result: bool(result["skipped"]))
    @click.argument("skipped", nargs=-1)
    def batch(skipped):
        return {"files": ["a.wav"], "skipped": list(skipped)}

    for skipped, code in ((), 0), (("b.wav",), PARTIAL_FAILURE):
        done = CliRunner().invoke(batch, [*skipped, "--json"])
        assert done.exit_code == code
        assert json.loads(done.stdout) == {"files": ["a.wav"], "skipped": list(skipped)}


def test_programming_errors_are_not_caught():
    @command("fail")
    def fail():
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(fail).exception, ZeroDivisionError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("arguments", [["configs"], ["configs", "--json"], ["--help"]])
def test_unwritable_standard_output_is_reported_in_one_line(arguments):
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


CHATTER = """
import ctypes, logging, os, sys, warnings
from tfdream.cli import main
from tfdream.commands.console import command

@command("chatter")
def chatter():
    print("progress of a download")
    os.write(1, b"a C library\\n")
    ctypes.CDLL(None).puts(b"a buffered C library")
    warnings.warn_explicit("deprecated", DeprecationWarning, "x.py", 1, module="library")
    logging.getLogger("absl").warning("absl")
    logging.getLogger("tfdream.module").warning("our own warning")
    return {"level": os.environ["TF_CPP_MIN_LOG_LEVEL"], "count": 3}

main.add_command(chatter)
main()
"""


def run_chatter(**environment):
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", CHATTER, "chatter", "--json"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0", **environment},
    )


def test_output_of_libraries_is_hidden():
    done = run_chatter()
    assert done.stdout == '{"level": "3", "count": 3}\n'
    assert done.stderr == "our own warning\n"


def test_output_of_libraries_is_shown_on_request():
    done = run_chatter(TFDREAM_LIBRARY_LOGS="1")
    assert done.stdout == '{"level": "0", "count": 3}\n'
    for line in ("progress of a download", "a C library", "deprecated", "absl", "our own warning"):
        assert line in done.stderr


def run_in_shell(arguments, redirection):
    """Run Python in a shell, which can close streams."""
    command = f"{shlex.join([sys.executable, *arguments])} {redirection}"
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["configs"], ["configs", "--json"], ["--help"]])
def test_closed_standard_output_is_reported_in_one_line(arguments):
    done = run_in_shell(["-m", "tfdream", *arguments], ">&-")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: the result cannot be written to standard output: Bad file")


@pytest.mark.slow
def test_closed_standard_output_is_not_a_terminal():
    done = run_in_shell(["-m", "tfdream", "dream", "missing.wav", "out.wav"], ">&-")
    assert done.returncode == 1
    assert done.stderr == "Error: 'missing.wav' does not exist or is not a file\n"


def test_a_command_does_not_need_standard_error():
    done = run_in_shell(["-m", "tfdream", "configs", "--json"], "2>&-")
    assert done.returncode == 0
    assert json.loads(done.stdout)


OPEN = """
import os, sys
from tfdream.io.descriptors import reserve_standard_streams

reserve_standard_streams()
sys.exit(os.open(os.devnull, os.O_RDONLY))
"""


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_other_files_do_not_get_the_descriptors_of_closed_streams(redirection):
    assert run_in_shell(["-c", OPEN], redirection).returncode > 2


def test_printable_text_is_unchanged():
    assert printable("Müller 🎵 [red] $HOME.wav") == "Müller 🎵 [red] $HOME.wav"


def test_sigterm_cleans_up(tmp_path):
    """Containers and jobs are stopped with SIGTERM."""
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


FINALIZER = "class Stopped:\n    def __del__(self):\n        signal.raise_signal(number)\n"
# PyErr_Print of an extension calls the hook.
PRINTER = (
    "def Stopped():\n"
    "    try:\n"
    "        signal.raise_signal(number)\n"
    "    except BaseException:\n"
    "        sys.excepthook(SystemError, SystemError('exception set'), None)\n"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("code", [FINALIZER, PRINTER])
def test_a_signal_whose_exception_is_lost_ends_the_command(number, code):
    """Python prints and ignores exceptions of finalizers, and extensions those of callbacks."""
    script = (
        "import os, signal, sys\n"
        "from tfdream.commands.console import command\n"
        f"number = {int(number)}\n"
        f"{code}"
        "@command('wait')\n"
        "def wait():\n"
        "    Stopped()\n"
        "    signal.pause()\n"
        # A shell starts jobs in the background with SIGINT ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 128 + number
    assert "Traceback" not in done.stderr


def test_rows_become_a_table_with_a_header():
    rows = [
        {"path": "[red] a very long name.wav", "label": "rock", "probability": 0.98765},
        {"path": "b\n.wav", "label": "jazz", "probability": 12345.6},
    ]
    lines = list(format_result({"files": rows, "notes": [], "empty": {}}))
    assert lines == [
        "files:",
        "  path                        label  probability",
        "  [red] a very long name.wav  rock   0.9877",
        "  b\\n.wav                     jazz   12346",
        "notes: ",
        "empty:",
    ]


def test_rows_with_different_keys_have_no_header():
    rows = [{"path": "a", "label": "rock"}, {"path": "b", "error": "is empty", "more": 1}]
    assert list(format_result({"files": rows})) == ["files:", "  a  rock", "  b  is empty  1"]
    assert list(format_result({"matrix": [[3, 1], [0, 12]]})) == ["matrix:", "  3  1", "  0  12"]


def test_long_rows_are_not_wrapped_where_output_is_not_a_terminal():
    lines = list(format_result({"files": [{"path": "x" * 500, "label": "rock"}]}))
    assert len(lines) == 3


def test_texts_are_listed_line_by_line():
    result = {"labels": ["noise", "tones"], "notes": ["first note", "second note"]}
    assert list(format_result(result)) == [
        *("labels: noise, tones", "notes:", "  first note", "  second note")
    ]
