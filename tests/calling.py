"""Helpers that call commands as a user does."""

import json
import signal
from contextlib import contextmanager

import click
import pytest
from click.testing import CliRunner

from tfdream.cli import main

# Eager execution gives the same results; tracing graphs takes longer than a few steps.
EAGERLY = pytest.mark.usefixtures("eagerly")

FEW_STEPS = ("--set", "optimizer.steps=2", "--set", "tiles.overlap_seconds=0.05")


def invoke(*arguments):
    """Run a command and return its exit code and output."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def no_number(text):
    raise AssertionError(f"{text} is not JSON")


def answer(*arguments, exit_code=0):
    """Run a command, check its exit code and return its JSON object."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == exit_code, result.stderr
    # Standard output contains only the object.
    (line,) = result.stdout.splitlines()
    return json.loads(line, parse_constant=no_number)


def refusal(*arguments):
    """Run a command that fails as intended and return its message."""
    result = invoke(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def commands(group=main, prefix=()):
    """Yield the names of all commands, each as a tuple of words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name)


def names(folder):
    """Return the sorted names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def dream(trained, *arguments, steps=1):
    """Return the arguments of a short dream."""
    return (
        *("dream", *arguments, "--model", trained[0]),
        *("--set", f"optimizer.steps={steps}", "--set", "tiles.overlap_seconds=0.05"),
    )


@contextmanager
def handler(number, function):
    """Handle a signal by a function inside the block."""
    before = signal.signal(number, function)
    try:
        yield
    finally:
        signal.signal(number, before)
