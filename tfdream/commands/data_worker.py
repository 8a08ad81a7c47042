"""The command of machines that compute batches for training."""

import socket

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command
from tfdream.commands.stops import wait_for_stop


@command("data-worker")
@click.option(
    "--dispatcher", is_flag=True, help="Start the dispatcher, which registers the workers."
)
@click.option(
    "--join", metavar="ADDRESS", help="Start a worker that joins the dispatcher at this address."
)
@click.option(
    "--worker",
    "workers",
    metavar="HOST",
    multiple=True,
    help="With --dispatcher: host of a worker that will join. Repeatable, also for the same host.",
)
@click.option(
    "--host",
    default=socket.gethostname,
    show_default="this machine's name",
    help="Name of this machine for connections from other machines.",
)
@options.port(0)
def data_worker(
    dispatcher: bool, join: str | None, workers: tuple[str, ...], host: str, port: int
) -> Result:
    """Compute batches for machines that train.

    \b
    tfdream data-worker --dispatcher --port 5050 --worker host1 --worker host2
    tfdream data-worker --join grpc://host0:5050     (on host1 and host2)
    tfdream train … --data-service grpc://host0:5050

    The dataset has to be at the same path on every machine. Ctrl-C ends the process.
    """
    if dispatcher == (join is not None):
        raise click.UsageError("use either --dispatcher or --join ADDRESS")
    if dispatcher != bool(workers):
        raise click.UsageError(
            "--dispatcher requires a --worker HOST for each worker; --join takes none"
        )
    from tfdream.datasets import service

    if join is None:
        server = service.start_dispatcher(port, list(workers))
        address = f"grpc://{host}:{server.target.rpartition(':')[2]}"
        announcement = f"the address of the dispatcher is {address} (Ctrl-C ends it)"
    else:
        server = service.start_worker(join, host, port)
        address = join
        announcement = f"computing batches for {address} (Ctrl-C ends the worker)"
    wait_for_stop("Ending.", lambda: click.echo(announcement, err=True))
    return {"address": address}
