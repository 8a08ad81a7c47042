"""The command that starts TensorBoard."""

import time
from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command
from tfdream.commands.stops import interruptible


@command()
@click.argument("folder", type=options.PATH)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=6006,
    show_default=True,
    help="Port of the server; 0 takes any free port.",
)
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
    click.echo(f"TensorBoard is at {url} (Ctrl-C ends the server)", err=True)
    with interruptible("Ending TensorBoard.") as stop_requested:
        while not stop_requested():
            time.sleep(0.2)
    return {"url": url, "folder": str(folder)}
