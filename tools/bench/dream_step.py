"""A step through a network as it was trained, and frozen: an objective and its gradient.

    python tools/bench/dream_step.py [--steps 20] [--only resnet18]

The objective is the norm of one layer, the gradient that with respect to the input, a batch of one
image of noise; weights are random. Ways alternate in changing order, so that what else the machine
does falls on all; a ratio is the median of the steps' own.
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np
import tensorflow as tf
from tables import print_table

from tfdream import config, models
from tfdream.models import features
from tfdream.models.frozen import freeze
from tfdream.signal import frontend as frontends

HEAD = (
    "network", "layer", "input", "as trained", "frozen", "ratio", "frozen, bfloat16", "ratio",
    "its value, off by", "its gradient, cosine",
)  # fmt: skip

Step = Callable[[], tuple[tf.Tensor, tf.Tensor]]


def classifier(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    settings = config.load(name, config.Experiment)
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    shape = frontend.shape(settings.input_samples)
    return models.build(settings.model, shape, classes=10), shape


def feature_network(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    settings = config.load(f"transfer/{name}", config.TransferConfig).network
    frontend = frontends.build(settings.frontend, settings.sample_rate)
    shape = frontend.shape(round(settings.clip_seconds * settings.sample_rate))
    return features.build(settings, shape), shape


NETWORKS = {
    "resnet18": (classifier, "dreaming_in_music_amplitude", "conv13"),
    "mel_cnn": (classifier, "recommended", None),
    "lil_data": (classifier, "lil_data", "conv4"),
    "random_conv1d": (feature_network, "random_conv1d", "conv1"),
}


def step_through(network: keras.Model, image: tf.Tensor) -> Step:
    @tf.function(autograph=False)
    def value_and_gradient(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            (activations,) = network(image, training=False).values()
            value = tf.norm(tf.cast(activations, tf.float32))
        return value, tape.gradient(value, image)

    return lambda: value_and_gradient(image)


def timed(step: Step) -> float:
    started = time.perf_counter()
    step()[1].numpy()
    return time.perf_counter() - started


def measure(ways: list[Step], steps: int) -> list[list[float]]:
    """Seconds of each way's steps."""
    for step in ways:  # compiles, and once more for what is allocated then
        timed(step)
        timed(step)
    seconds: list[list[float]] = [[] for _ in ways]
    for number in range(steps):
        order = range(len(ways)) if number % 2 else reversed(range(len(ways)))
        for way in order:
            seconds[way].append(timed(ways[way]))
    return seconds


def row(name: str, steps: int) -> list[str]:
    build, settings, layer = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model, shape = build(settings)
    layer = layer or models.deepest_convolution(model)
    tapped = models.tap(model, [layer])
    image = tf.constant(np.random.default_rng(0).random((1, *shape)), tf.float32)
    networks = [tapped, freeze(tapped), freeze(tapped, "bfloat16")]
    ways = [step_through(network, image) for network in networks]
    trained, *others = measure(ways, steps)
    cells = [name, layer, "×".join(map(str, shape)), milliseconds(trained)]
    for frozen in others:
        ratios = (before / after for before, after in zip(trained, frozen, strict=True))
        cells += [milliseconds(frozen), f"{statistics.median(ratios):.2f}"]
    value, gradient = (found.numpy().ravel() for found in ways[0]())
    rounded_value, rounded = (found.numpy().ravel() for found in ways[2]())
    cosine = gradient @ rounded / np.linalg.norm(gradient) / np.linalg.norm(rounded)
    return [*cells, f"{abs(rounded_value[0] / value[0] - 1):.2%}", f"{cosine:.4f}"]


def milliseconds(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} ms"


@click.command()
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Counted.")
@click.option("--only", type=click.Choice(list(NETWORKS)), multiple=True, help="Of the networks.")
def main(steps: int, only: tuple[str, ...]) -> None:
    """Print a Markdown table of medians, and how many times as fast as trained."""
    print_table(HEAD, (row(name, steps) for name in only or NETWORKS), words=3)


if __name__ == "__main__":
    main()
