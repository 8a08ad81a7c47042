"""How commands speak: the result on standard output, everything else on standard error."""

import errno
import functools
import itertools
import json
import logging
import math
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from tfdream.errors import TfdreamError
from tfdream.io.progress import ProgressFn

Result = dict[str, Any]

# What a shell reports of a program that Ctrl-C, or a service that stops it, ended.
_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_ARGUMENTS = "tfdream.arguments"


class OrderedGroup(click.Group):
    """Commands in the order of the work, not of the alphabet; it knows what it was called with."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command; a result that standard output does not take is told, too."""
        try:
            return super().main(*args, **extra)
        except OSError as error:  # commands tell their own, and click is silent on a closed pipe
            with Path(os.devnull).open("w") as nowhere:  # Python would try again when it ends
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            _give_up(f"the result cannot be written to standard output: {_of_the_system(error)}")


def command_line() -> str:
    """The command that is running, as a line for a shell."""
    return shlex.join(["tfdream", *click.get_current_context().meta[_ARGUMENTS]])


def command(
    name: str | None = None, only_json: Collection[str] = ()
) -> Callable[[Callable[..., Result]], click.Command]:
    """A command with --json; its result is printed, its errors become one line.

    Args:
      name: by default the function's.
      only_json: keys of the result that are too long for people.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def run(as_json: bool, **arguments: Any) -> None:
            try:
                with log_to_stderr(), _tidy_when_terminated():
                    result = function(**arguments)
            except TfdreamError as error:
                _give_up(str(error))
            except _refusals() as error:
                _give_up(_of_the_system(error))
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                sys.exit(_INTERRUPTED)
            if as_json:
                click.echo(json.dumps(result))
            else:
                short = {key: value for key, value in result.items() if key not in only_json}
                click.echo("\n".join(told(short)))
            if result.get("interrupted"):
                sys.exit(_INTERRUPTED)

        option = click.option(
            "--json", "as_json", is_flag=True, help="Print the result as one JSON object."
        )
        return click.command(name)(option(run))

    return decorate


def printable(text: str) -> str:
    """One line that leaves the terminal alone, whatever names are in it: ``\\n`` for a new line."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _give_up(message: str) -> NoReturn:
    click.echo(f"Error: {printable(message)}", err=True)
    sys.exit(1)


def _refusals() -> tuple[type[Exception], ...]:
    """What the system refuses, as Python says it and, where it is loaded, TensorFlow."""
    tensorflow = sys.modules.get("tensorflow")
    of_tensorflow = () if tensorflow is None else (tensorflow.errors.ResourceExhaustedError,)
    return (OSError, MemoryError, *of_tensorflow)


def _of_the_system(error: Exception) -> str:
    """What the system says: a full disk, a missing permission, a name that is too long."""
    reason = " ".join(str(error).split())
    if not isinstance(error, OSError):
        reason = reason.rpartition("}} ")[2]  # behind the node of TensorFlow's graph
        return (
            f"no room is left in memory or on the disk ({reason}); make room, or use a smaller "
            "batch, clip or image. What was finished before is kept"
        )
    if error.errno:
        reason = os.strerror(error.errno)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason += "; make room and call again: what was finished before is kept"
    return f"'{error.filename}': {reason}" if error.filename else reason


class _ConsoleHandler(logging.Handler):
    """Prints what the library logs, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        _console().print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Show what the library logs while a command runs."""
    handler = _ConsoleHandler()
    logger = logging.getLogger("tfdream")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def interruptible(
    answer: str = "Stopping: what is done will be written. Ctrl-C again gives it up.",
) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C ask for an end instead of making one; the second one makes it.

    Args:
      answer: what is said to the first.

    Yields:
      A function that tells whether an end was asked for.
    """
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        _console().print(answer)

    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield lambda: asked
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _tidy_when_terminated() -> Iterator[None]:
    """Let what a service sends to end us clean up after us, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress_bar(description: str, unit: str) -> Iterator[ProgressFn]:
    """A bar on standard error with the time left; nothing where that is not a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = _console()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(description, total=None, note="")

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield report


@functools.cache
def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def told(value: Any, indent: str = "") -> Iterator[str]:
    """A result in lines for people."""
    for name, entry in value.items():
        if isinstance(entry, dict):
            yield f"{indent}{name}:"
            yield from told(entry, indent + "  ")
        elif isinstance(entry, list) and entry and isinstance(entry[0], dict | list):
            yield f"{indent}{name}:"
            yield from _told_rows(entry, indent + "  ")
        elif isinstance(entry, list) and any(" " in str(each) for each in entry):
            yield f"{indent}{name}:"
            yield from (f"{indent}  {each}" for each in entry)
        else:
            yield f"{indent}{name}: {_told_cell(entry)}"


def _told_rows(rows: list[Any], indent: str) -> Iterator[str]:
    """A table, with a head where all rows have the same names."""
    table = [
        [_told_cell(cell) for cell in (row.values() if isinstance(row, dict) else row)]
        for row in rows
    ]
    if all(isinstance(row, dict) and list(row) == list(rows[0]) for row in rows):
        table.insert(0, list(rows[0]))
    columns = itertools.zip_longest(*table, fillvalue="")
    widths = [max(len(cell) for cell in column) for column in columns]
    for cells in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False))
        yield indent + line.rstrip()


def _told_cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told_cell(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", ".join(_told_cell(entry) for entry in value)
    return printable(str(value))
