"""What everything costs on this machine, in one Markdown table.

python tools/bench/benchmark.py [--only NAME]...

Each file of parts/ measures something in a process of its own, which tells its memory, on sounds
that are composed for it. Times are medians of rounds in which a reference takes turns: what else
the machine does falls on both, so that ratios are steadier than seconds. The share of the peak
compares what a step calculates in a second with a bare product of matrices in the same process.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
from tables import number, print_table
from timing import Cost, interleaved

HEAD = (
    "part", "what", "reference", "seconds", "of the reference's", "seconds per second of audio",
    "share of peak", "memory",
)  # fmt: skip
PARTS = sorted(path.stem for path in (Path(__file__).parent / "parts").glob("[a-z]*.py"))
_SIDE = 2048


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Repeatable.")
@click.option("--alone", type=click.Choice(PARTS), hidden=True)
def main(only: tuple[str, ...], alone: str | None) -> None:
    """Print a Markdown table."""
    if alone:
        print(json.dumps(measure(alone)))
    else:
        print_table(HEAD, (row for part in only or PARTS for row in rows(part)), words=3)


def measure(part: str) -> dict[str, object]:
    """The costs of a part, in this process, and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        costs: list[Cost] = import_module(f"parts.{part}").measure(Path(folder))
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = any(cost.operations for cost in costs)
    return {
        "costs": [cost._asdict() for cost in costs],
        "gigabytes": peak_bytes / 1e9,
        "peak": peak() if counted else None,
    }


def peak() -> float:
    """Floating-point operations per second of a product of matrices."""
    import tensorflow as tf

    matrix = tf.random.stateless_uniform([_SIDE, _SIDE], [0, 0])
    times = interleaved({"product": lambda: tf.linalg.matmul(matrix, matrix).numpy()}, 9)
    return 2 * _SIDE**3 / statistics.median(times["product"])


def rows(part: str) -> Iterator[list[str]]:
    """Measure a part in a process of its own."""
    started = time.perf_counter()
    command = [sys.executable, __file__, "--alone", part]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise click.ClickException(f"{part}: {last[0]}")
    found = json.loads(done.stdout.splitlines()[-1])
    for content in found["costs"]:
        cost = Cost(**content)
        rate = cost.operations and cost.operations / cost.seconds
        per_audio = cost.audio_seconds and cost.seconds / cost.audio_seconds
        yield [
            part,
            cost.what,
            cost.reference or "–",
            f"{cost.seconds:.3g}",
            number(cost.ratio, ".2f"),
            number(per_audio, ".3g"),
            number(rate and found["peak"] and rate / found["peak"], ".0%"),
            f"{found['gigabytes']:.2f} GB",
        ]
    click.echo(f"{part}: {time.perf_counter() - started:.0f} s", err=True)


if __name__ == "__main__":
    main()
