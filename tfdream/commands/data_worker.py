"""The command of machines that help others to train."""

import socket
import time

import click

from tfdream.commands.console import Result, command, interruptible


@command("data-worker")
@click.option("--dispatcher", is_flag=True, help="Know the workers, instead of being one.")
@click.option("--join", metavar="ADDRESS", help="Make batches for the dispatcher at this address.")
@click.option(
    "--worker",
    "workers",
    metavar="HOST",
    multiple=True,
    help="Of a dispatcher: the host of a worker that will join; repeatable, also the same one.",
)
@click.option(
    "--host",
    default=socket.gethostname,
    show_default="this machine's name",
    help="As the other machines reach this one.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="0 takes any that is free.",
)
def data_worker(
    dispatcher: bool, join: str | None, workers: tuple[str, ...], host: str, port: int
) -> Result:
    """Make batches for machines that train.

    \b
    tfdream data-worker --dispatcher --port 5050 --worker host1 --worker host2
    tfdream data-worker --join grpc://host0:5050     (on host1 and host2)
    tfdream train … --data-service grpc://host0:5050

    Every machine has to see the dataset at the same path. Ctrl-C ends it.
    """
    if dispatcher == (join is not None):
        raise click.UsageError("give either --dispatcher or --join ADDRESS")
    if dispatcher != bool(workers):
        raise click.UsageError("--dispatcher takes a --worker HOST for each worker; others do not")
    from tfdream.datasets import service

    if join is None:
        server = service.start_dispatcher(port, list(workers))
        address = f"grpc://{host}:{server.target.rpartition(':')[2]}"
        click.echo(f"the dispatcher is at {address} (Ctrl-C ends it)", err=True)
    else:
        server = service.start_worker(join, host, port)
        address = join
        click.echo(f"making batches for {address} (Ctrl-C ends it)", err=True)
    with interruptible("Ending.") as asked:
        while not asked():
            time.sleep(0.2)
    return {"address": address}
