"""The command that serves the local web page."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command
from tfdream.commands.stops import wait_for_stop


@command()
@click.argument("folder", type=options.PATH, default="tfdream-studio")
@click.option(
    "--model",
    "runs",
    type=options.PATH,
    multiple=True,
    metavar="RUN",
    help="A run folder that the page offers beside the presets. Repeatable.",
)
@click.option(
    "--config",
    "recipes",
    type=options.PATH,
    multiple=True,
    metavar="FILE",
    help="A recipe that the page offers beside the packaged ones. Repeatable.",
)
@options.port(7860)
@click.option(
    "--max-megabytes",
    type=options.Number(0, min_open=True),
    default=200.0,
    show_default=True,
    metavar="MB",
    help="Largest size of a recording.",
)
@click.option(
    "--max-minutes",
    type=options.Number(0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="M",
    help="Longest duration of a recording.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the default browser.")
def studio(
    folder: Path,
    runs: tuple[Path, ...],
    recipes: tuple[Path, ...],
    port: int,
    max_megabytes: float,
    max_minutes: float,
    opens: bool,
) -> Result:
    """Serve a local web page for dreams, transfers, translations and generated music.

    Recordings and results are stored in FOLDER, by default `tfdream-studio` in the current folder.
    Only this machine can reach the page. Ctrl-C ends the server and cancels a running job.
    """
    from tfdream.studio.server import serving
    from tfdream.studio.uploads import Limits

    with serving(
        folder,
        port,
        tuple(map(str, runs)),
        tuple(map(str, recipes)),
        Limits(max_megabytes, max_minutes),
    ) as url:
        wait_for_stop("Ending the server.", lambda: _announce(url, opens))
    return {"url": url, "folder": str(folder)}


def _announce(url: str, opens: bool) -> None:
    click.echo(f"tfdream studio is at {url} (Ctrl-C ends it)", err=True)
    if opens:
        click.launch(url)
