"""Commands that draw figures."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.console import Result, command


@click.group()
def plot() -> None:
    """Draw a figure: PNG, SVG or PDF, by the extension of OUTPUT."""


@plot.add_command
@command("spectrograms")
@click.argument("audio", type=options.PATH, nargs=-1, required=True)
@click.argument("output", type=options.PATH)
def plot_spectrograms(audio: tuple[Path, ...], output: Path) -> Result:
    """Draw the spectrograms of AUDIO files, one above the other."""
    from tfdream import figures

    figures.spectrograms(audio, output)
    return {"figure": str(output)}


@plot.add_command
@command("history")
@click.argument("run", type=options.PATH)
@click.argument("output", type=options.PATH)
def plot_history(run: Path, output: Path) -> Result:
    """Draw loss and accuracy per epoch of RUN."""
    from tfdream import figures

    figures.history(run, output)
    return {"figure": str(output)}
