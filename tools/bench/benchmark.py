"""Measure the cost of every part on this machine and print one Markdown table.

python tools/bench/benchmark.py [--only NAME]...

Each file of parts/ runs in its own process, so that its peak memory can be measured, on audio that
is composed for it. Times are medians of rounds in which the operation and its reference alternate:
other load on the machine affects both, so ratios vary less than seconds. The share of peak relates
the operations per second of a step to those of a plain matrix product in the same process.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import tfdream  # noqa: F401  # before TensorFlow, whose settings it chooses

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
from tables import number, print_table
from timing import Cost

HEAD = (
    "part", "operation", "reference", "seconds", "ratio to reference",
    "seconds per second of audio",
    "share of peak", "memory",
)  # fmt: skip
PARTS = sorted(path.stem for path in (Path(__file__).parent / "parts").glob("[a-z]*.py"))


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
    """Return the costs of a part, measured in this process or its own ones, and the peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        costs: list[Cost] = import_module(f"parts.{part}").measure(Path(folder))
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peak_bytes = 1024 * max(usage.ru_maxrss for usage in usages)
    return {
        "costs": [cost._asdict() for cost in costs],
        "gigabytes": peak_bytes / 1e9,
    }


def rows(part: str) -> Iterator[list[str]]:
    """Measure a part in its own process."""
    started = time.perf_counter()
    command = [sys.executable, __file__, "--alone", part]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise click.ClickException(f"{part}: {last[0]}")
    result = json.loads(done.stdout.splitlines()[-1])
    for content in result["costs"]:
        cost = Cost(**content)
        per_audio = cost.audio_seconds and cost.seconds / cost.audio_seconds
        yield [
            part,
            cost.what,
            cost.reference or "–",
            f"{cost.seconds:.3g}",
            number(cost.ratio, ".2f"),
            number(per_audio, ".3g"),
            number(cost.share_of_peak, ".0%"),
            f"{result['gigabytes']:.2f} GB",
        ]
    click.echo(f"{part}: {time.perf_counter() - started:.0f} s", err=True)


if __name__ == "__main__":
    main()
