"""The command that starts TensorBoard."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command
from tfdream.commands.stops import wait_for_stop
from tfdream.errors import ConfigError


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigError(f"'{folder}' is not a folder; name a run or a folder of runs")


@command()
@click.argument("folder", type=options.Input(_check_folder))
@options.port(6006)
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Address that the server binds to; 0.0.0.0 makes it accessible to other machines.",
)
def monitor(folder: Path, port: int, host: str) -> Result:
    """Start TensorBoard on FOLDER: a run, a folder of runs, or a folder given to --tensorboard.

    Ctrl-C ends the server.
    """
    from tfdream.reports.tensorboard import serve

    url = serve(folder, host, port)
    announcement = f"TensorBoard is at {url} (Ctrl-C ends the server)"
    wait_for_stop("Ending TensorBoard.", lambda: click.echo(announcement, err=True))
    return {"url": url, "folder": str(folder)}
