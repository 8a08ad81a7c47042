"""Audio on standard output, for OUTPUT `-`.

The audio is written to a temporary file and copied when it is complete: the header has its length,
and its measures are those of the written file. The result then goes to standard error.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import click

NAME = "-"
_FORMATS = ("wav", "flac", "ogg")
_IS_TERMINAL = "tfdream.standard_output.is_terminal"
_FILE = "tfdream.standard_output.file"


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _remember_terminal(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Store whether standard output is a terminal; it is redirected while a command runs."""
    context.meta[_IS_TERMINAL] = _is_terminal()
    return value


format_option = click.option(
    "--format",
    "file_format",
    type=click.Choice(_FORMATS),
    callback=_remember_terminal,
    help="Format of the audio if OUTPUT is -, which is standard output; by default wav.",
)


def is_named(output: Path) -> bool:
    """Return whether an output is standard output."""
    return str(output) == NAME


def temporary(output: Path, file_format: str | None) -> Path:
    """Return the file to write: for `-` a temporary one, otherwise `output` itself.

    Args:
      output: the argument of the command.
      file_format: the option --format, or None.

    Raises:
      UsageError: if standard output is a terminal, or the format of a file is given.
    """
    context = click.get_current_context()
    if not is_named(output):
        if file_format is not None:
            raise click.UsageError(
                f"--format is for OUTPUT -; the format of '{output}' is its extension"
            )
        return output
    if context.meta[_IS_TERMINAL]:
        raise click.UsageError("OUTPUT - is the terminal; redirect it to a file or a pipe")
    folder = context.with_resource(tempfile.TemporaryDirectory(prefix="tfdream-"))
    context.meta[_FILE] = Path(folder) / f"standard output.{file_format or _FORMATS[0]}"
    return Path(context.meta[_FILE])


def with_name(message: str) -> str:
    """Return a message in which `-` replaces the name of the temporary file."""
    context = click.get_current_context(silent=True)
    path = context and context.meta.get(_FILE)
    return message.replace(str(path), NAME) if path else message


def copy() -> bool:
    """Copy the temporary file to standard output; return whether the command has one."""
    path = click.get_current_context().meta.get(_FILE)
    if path is None:
        return False
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.flush()
    return True
