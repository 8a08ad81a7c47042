"""The command that watches."""

import time
from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, interruptible


@command()
@click.argument("folder", type=options.PATH)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=6006,
    show_default=True,
    help="0 takes any that is free.",
)
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Which of this machine's addresses answers; 0.0.0.0 for all, so that others can look.",
)
def monitor(folder: Path, port: int, host: str) -> Result:
    """Start TensorBoard on FOLDER: a run, a folder of runs, or what --tensorboard wrote.

    Ctrl-C ends it.
    """
    from tfdream.reports.tensorboard import serve

    url = serve(folder, host, port)
    click.echo(f"TensorBoard is at {url} (Ctrl-C ends it)", err=True)
    with interruptible("Ending TensorBoard.") as asked:
        while not asked():
            time.sleep(0.2)
    return {"url": url, "folder": str(folder)}
