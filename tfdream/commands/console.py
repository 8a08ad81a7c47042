"""Command output, exit statuses, errors and progress.

Results go to standard output, everything else to standard error; if the output of a command is
audio on standard output, its result goes to standard error, too. The exit status is 0 for success,
1 for an error (nothing was produced), 2 for a wrong argument, `PARTIAL_FAILURE` if some of several
inputs failed, 130 after Ctrl-C (0 for the servers `monitor`, `studio` and `data-worker`, which it
ends as intended) and 143 after SIGTERM.
"""

import functools
import io
import json
import logging
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import click

from tfdream.commands import options, standard_output, stops
from tfdream.errors import TfdreamError, printable
from tfdream.io import system_errors
from tfdream.io.descriptors import redirected, reserve_standard_streams
from tfdream.io.library_logs import shows_library_logs
from tfdream.io.progress import ProgressFn

Result = dict[str, Any]

PARTIAL_FAILURE = 3
"""Exit status if some of several inputs failed; the others have results, which are printed."""

_ARGUMENTS = "tfdream.arguments"
_STDOUT, _STDERR = 1, 2
_UNLIMITED_COLUMNS = 100_000
# Probabilities that are printed without --json.
_SHOWN_PROBABILITIES = 5


class OrderedGroup(click.Group):
    """A group that lists its commands in the order of the work and records its arguments."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command; report if its result cannot be written to standard output."""
        reserve_standard_streams()
        try:
            return super().main(*args, **extra)
        except OSError as error:  # commands handle theirs, and click ignores closed pipes
            with Path(os.devnull).open("w") as nowhere:  # Python flushes again at exit
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            _fail(
                f"the result cannot be written to standard output: {system_errors.describe(error)}"
            )


def command_line() -> str:
    """Return the running command as a line for a shell."""
    return shlex.join(["tfdream", *click.get_current_context().meta[_ARGUMENTS]])


def command(
    name: str | None = None,
    only_json: Collection[str] = (),
    cls: type[click.Command] = click.Command,
    failed_partly: Callable[[Result], bool] = lambda result: False,
    decodes: int = 0,
) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a command with --json; its result is printed, its errors become one line.

    Args:
      name: name of the command; by default the function's.
      only_json: keys of the result that are printed with --json only.
      cls: class of the command.
      failed_partly: returns whether some of several inputs failed, according to the result; the
        exit status is then `PARTIAL_FAILURE`.
      decodes: number of audio files that the command reads at the same time; their decoders start
        while TensorFlow is imported.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def run(as_json: bool, **arguments: Any) -> None:
            try:
                with log_to_stderr(), stops.exit_on_stop(), _library_output_hidden():
                    options.check_inputs(click.get_current_context())
                    if decodes:
                        from tfdream.audio.decoders.isolation import start_early

                        start_early(decodes)
                    result = function(**arguments)
            except TfdreamError as error:
                _fail(str(error))
            except system_errors.system_errors() as error:
                _fail(system_errors.describe(error))
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                sys.exit(stops.INTERRUPTED)
            is_piped = standard_output.copy()
            if is_piped:
                result["output"] = standard_output.NAME
            if as_json:
                click.echo(json.dumps(result), err=is_piped)
            else:
                shown = {key: value for key, value in result.items() if key not in only_json}
                shown = _with_few_probabilities(shown)
                click.echo("\n".join(format_result(shown)), err=is_piped)
            if result.get("interrupted"):
                sys.exit(stops.INTERRUPTED)
            if failed_partly(result):
                sys.exit(PARTIAL_FAILURE)

        option = click.option(
            "--json", "as_json", is_flag=True, help="Print the result as one JSON object."
        )
        return click.command(name, cls=cls)(option(run))

    return decorate


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {printable(standard_output.with_name(message))}", err=True)
    sys.exit(1)


class _ConsoleHandler(logging.Handler):
    """Prints log records, above the progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        message = standard_output.with_name(record.getMessage())
        _console().print(message, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print the log of the library to standard error while a command runs."""
    handler = _ConsoleHandler()
    logger = logging.getLogger("tfdream")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _library_output_hidden() -> Iterator[None]:
    """Discard what libraries print on standard output, so that it has the result alone.

    It covers Python's output, such as progress bars of downloads, and that of C libraries.
    """
    target = sys.stderr if shows_library_logs() else None
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(target or nowhere),
        redirected(_STDOUT, _STDERR if target else nowhere.fileno()),
    ):
        yield


@contextmanager
def progress_bar(description: str, unit: str) -> Iterator[ProgressFn]:
    """Show a progress bar on standard error if that is a terminal.

    Args:
      description: name of the work.
      unit: unit of the steps.
    """
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


def _with_few_probabilities(result: Any) -> Any:
    """Return a result in which only the highest probabilities of many labels are listed.

    >>> many = {"a": 0.2, "b": 0.9, "c": 0.1, "d": 0.6, "e": 0.5, "f": 0.4, "g": 0.3}
    >>> _with_few_probabilities({"probabilities": many})
    {'probabilities': {'b': 0.9, 'd': 0.6, 'e': 0.5, 'f': 0.4, 'g': 0.3, '2 others, at most': 0.2}}
    """
    if isinstance(result, list):
        return [_with_few_probabilities(each) for each in result]
    if not isinstance(result, dict):
        return result
    shown = {}
    for name, entry in result.items():
        shown[name] = _with_few_probabilities(entry)
        if name.startswith("probabilities") and isinstance(entry, dict):
            ranked = sorted(entry.items(), key=lambda item: -item[1])
            first, others = ranked[:_SHOWN_PROBABILITIES], ranked[_SHOWN_PROBABILITIES:]
            if len(others) > 1:
                shown[name] = dict(first) | {f"{len(others)} others, at most": others[0][1]}
    return shown


def format_result(result: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Format a result for people, line by line: nested objects indented, lists of rows as tables.

    >>> rows = [{"label": "rock", "recall": 0.98765}, {"label": "jazz", "recall": 1.0}]
    >>> print("\\n".join(format_result({"clips": 12, "per_class": rows})))
    clips: 12
    per_class:
      label  recall
      rock   0.9877
      jazz   1
    """
    for name, entry in result.items():
        if isinstance(entry, dict):
            yield f"{indent}{name}:"
            yield from format_result(entry, indent + "  ")
        elif isinstance(entry, list) and entry and isinstance(entry[0], dict | list):
            yield f"{indent}{name}:"
            yield from _format_table(entry, indent + "  ")
        elif isinstance(entry, list) and any(" " in str(each) for each in entry):
            yield f"{indent}{name}:"
            yield from (f"{indent}  {each}" for each in entry)
        else:
            yield f"{indent}{name}: {_format_cell(entry)}"


def _format_table(rows: list[Any], indent: str) -> Iterator[str]:
    """Format rows as a table, with a header if all rows have the same keys."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    header = all(isinstance(row, dict) and list(row) == list(rows[0]) for row in rows)
    table = Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0))
    width = max(len(row) for row in rows)
    for name in list(rows[0]) if header else [""] * width:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        cells = row.values() if isinstance(row, dict) else row
        table.add_row(*(Text(_format_cell(cell)) for cell in cells))
    terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if terminal else _UNLIMITED_COLUMNS
    text = io.StringIO()
    Console(file=text, width=columns - len(indent), color_system=None).print(table)
    yield from (f"{indent}{line.rstrip()}" for line in text.getvalue().splitlines())


def _format_cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_format_cell(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", ".join(_format_cell(entry) for entry in value)
    return printable(str(value))
