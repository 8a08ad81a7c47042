"""Commands, called as a user calls them, and what they leave."""

import json

import click
import pytest
from click.testing import CliRunner

from tfdream.cli import main

# Commands do the same step by step; to build graphs takes longer than a few steps.
EAGERLY = pytest.mark.usefixtures("eagerly")

FEW_STEPS = ("--set", "optimizer.steps=2", "--set", "tiles.overlap_seconds=0.05")


def invoke(*arguments):
    """What a command answers, whatever it is."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def no_number(text):
    raise AssertionError(f"{text} is no JSON")


def answer(*arguments):
    """The JSON object of a command that succeeds."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    # Nothing but the object goes to standard output.
    (line,) = result.stdout.splitlines()
    return json.loads(line, parse_constant=no_number)


def refusal(*arguments):
    """The message of a command that fails as it should."""
    result = invoke(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def commands(group=main, prefix=()):
    """The names of all commands, each as words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name)


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def dream(trained, *arguments, steps=1):
    """The words of a short dream."""
    return (
        *("dream", *arguments, "--model", trained[0]),
        *("--set", f"optimizer.steps={steps}", "--set", "tiles.overlap_seconds=0.05"),
    )
