"""Measure the cost of a dream relative to its gradient evaluations, and per second of audio.

    python tools/bench/dream_cost.py RUN AUDIO [--config dream/dreaming_in_music] [--rounds 3]
    python tools/bench/dream_cost.py RUN AUDIO --lengths 10,60,600

The first call compares the optimization of one tile with value and gradient of the same network at
the same sizes, alternately, in float32 and bfloat16. The second dreams files of the given lengths
(AUDIO, repeated until it is long enough) with the command, and prints seconds of compute per second
of audio and the peak memory.
"""

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import tfdream  # noqa: F401  # before TensorFlow, whose settings it chooses

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import tensorflow as tf
from timing import beside, interleaved

from tfdream import audio, config
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.synthesis.dream import Dreamer
from tfdream.synthesis.rendering.tiles import Tiles, mid_tiles
from tfdream.synthesis.tile_optimizer import TileOptimizer, octave_sizes


def bare(dreamer: Dreamer, optimizer: TileOptimizer) -> Callable[[], None]:
    """Return a function that computes value and gradient at the network's input once per step."""
    run, objective = dreamer.run, dreamer.objective
    network = inspect.tap(run.model, sorted(objective.layers))
    shape = run.frontend.shape(optimizer.grid.samples)

    @tf.function(reduce_retracing=True)
    def evaluate(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            value = objective.value(network(image, training=False), ())
        return value, tape.gradient(value, image)

    sizes = octave_sizes(shape, dreamer.config.octaves)
    images = [tf.random.uniform([1, *(size or shape[:-1]), shape[-1]]) for size in sizes]

    def evaluations() -> None:
        for image in images:
            for _ in range(dreamer.config.optimizer.steps):
                evaluate(image)[0].numpy()

    return evaluations


def compare(run: Run, source: Path, name: str, overrides: tuple[str, ...], rounds: int) -> None:
    """Print the table of one tile."""
    ways: dict[str, Callable[[], object]] = {}
    for precision in ("float32", "bfloat16"):
        recipe = config.load(name, config.DreamConfig, (*overrides, f"precision={precision}"))
        dreamer = Dreamer(run, recipe)
        optimizer = dreamer.tile_optimizer(dreamer.run.sample_rate)
        with audio.Reader(source) as reader:
            tiles = next(mid_tiles(reader, run.sample_rate, optimizer.grid))
        one = Tiles(*(part[:1] for part in tiles))
        if not ways:
            ways["gradient evaluations, float32"] = bare(dreamer, optimizer)
        ways[f"{name}, {precision}"] = lambda optimizer=optimizer, one=one: optimizer.process(one)
    seconds = interleaved(ways, rounds)
    first = next(iter(seconds.values()))
    print(f"| {optimizer.steps} steps on a tile | seconds | ratio to gradient evaluations |")
    print("|---|---:|---:|")
    for way, times in seconds.items():
        print(f"| {way} | {statistics.median(times):.1f} | {beside(times, first):.2f} |")


def lengthen(source: Path, seconds: float, output: Path) -> None:
    """Repeat a recording until it has the given length."""
    with audio.Reader(source) as reader:
        rate, channels, _ = reader.info
        again = itertools.chain.from_iterable(reader.blocks() for _ in itertools.count())
        long = audio.head(again, round(seconds * rate))
        audio.write_blocks(output, long, rate, channels)


def lengths(run: Path, source: Path, name: str, overrides: tuple[str, ...], durations: str) -> None:
    """Print the table of files."""
    print("| length | seconds of compute per second of audio | peak memory |")
    print("|---|---:|---:|")
    folder = Path("dream_cost")
    settings = [word for override in overrides for word in ("--set", override)]
    for seconds in map(float, durations.split(",")):
        lengthen(source, seconds, folder / "long.wav")
        command = [
            sys.executable,
            "-m",
            "tfdream",
            "dream",
            folder / "long.wav",
            folder / "out.wav",
        ]
        options = ["--model", run, "--config", name, "--force", "--json", *settings]
        # The maximum over all children so far; lengths are ascending.
        done = subprocess.run(
            [*map(str, command), *map(str, options)], check=True, capture_output=True, text=True
        )
        result = json.loads(done.stdout.splitlines()[-1])
        share = result["compute_seconds"] / result["audio_seconds"]
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"| {seconds:g} s | {share:.2f} | {peak:.2f} GB |", flush=True)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--config", "name", default="dream/dreaming_in_music", show_default=True)
@click.option("--set", "overrides", multiple=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--lengths", "durations", help="Seconds, separated by commas, ascending.")
def main(
    run: Path,
    source: Path,
    name: str,
    overrides: tuple[str, ...],
    rounds: int,
    durations: str | None,
) -> None:
    """Print one of the tables."""
    if durations is not None:
        lengths(run, source, name, overrides, durations)
    else:
        compare(Run.open(run), source, name, overrides, rounds)


if __name__ == "__main__":
    main()
