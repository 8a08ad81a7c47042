"""The command that makes an output again from its tags."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, progress_bar


def _inputs(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Convert inputs such as ``source=song.wav`` to paths by name."""
    paths = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals):
            raise click.BadParameter(
                f"'{value}' is not NAME=PATH, such as source=song.wav", context, parameter
            )
        paths[name] = options.PATH.convert(path, parameter, context)
    return paths


@command(decodes=2)
@click.argument("path", metavar="FILE", type=options.AUDIO)
@click.argument("output", required=False, type=options.PATH)
@click.option(
    "--input",
    "inputs",
    metavar="NAME=PATH",
    multiple=True,
    callback=_inputs,
    help="Where an input is now: source, content, style, guide, prompt or run/folder. Repeatable.",
)
@options.force
def redo(path: Path, output: Path | None, inputs: dict[str, Path], force: bool) -> Result:
    """Make FILE again from its tags, bit for bit.

    FILE was written by dream, transfer, translate or generate; its tags contain the command, all
    settings, and the inputs with their checksums. OUTPUT is by default FILE-redo. An input that is
    missing or has changed is an error; other software versions are reported, and `identical` in the
    result is whether both files have the same bytes.
    """
    from tfdream.synthesis import redo as redoing

    with progress_bar("redoing", "steps") as progress:
        return redoing.redo(path, output, inputs, force, progress)
