"""Compare a dream step through a network as trained with one through its frozen copy.

    python tools/bench/dream_step.py [--steps 20] [--only resnet18]

A step is the norm of one layer and its gradient with respect to the input, a batch of one image of
noise; weights are random. The variants alternate in changing order, so that other load affects all
of them; a ratio is the median of the ratios per step.
"""

import os
import statistics
from collections.abc import Sequence

import tfdream  # noqa: F401  # before TensorFlow, whose settings it chooses

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np
import tensorflow as tf
from networks import classifier, feature_network, step_through
from tables import print_table
from timing import beside, interleaved

from tfdream.models import inspect
from tfdream.models.freeze import freeze

HEAD = (
    "network", "layer", "input", "as trained", "frozen", "ratio", "frozen, bfloat16", "ratio",
    "relative error of the value", "cosine of the gradient",
)  # fmt: skip

NETWORKS = {
    "resnet18": (classifier, "dreaming_in_music_amplitude", "conv13"),
    "mel_cnn": (classifier, "recommended", None),
    "lil_data": (classifier, "lil_data", "conv4"),
    "random_conv1d": (feature_network, "random_conv1d", "conv1"),
}


def row(name: str, steps: int) -> list[str]:
    build, settings, layer = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model, shape = build(settings)
    layer = layer or inspect.deepest_convolution(model)
    tapped = inspect.tap(model, [layer])
    image = tf.constant(np.random.default_rng(0).random((1, *shape)), tf.float32)
    networks = {
        "trained": tapped,
        "frozen": freeze(tapped),
        "rounded": freeze(tapped, "bfloat16"),
    }
    ways = {way: step_through(network, image) for way, network in networks.items()}
    seconds = interleaved(ways, steps, warm_up=2)
    trained = seconds["trained"]
    cells = [name, layer, "×".join(map(str, shape)), milliseconds(trained)]
    for way in ("frozen", "rounded"):
        cells += [milliseconds(seconds[way]), f"{beside(trained, seconds[way]):.2f}"]
    value, gradient = map(np.ravel, ways["trained"]())
    rounded_value, rounded = map(np.ravel, ways["rounded"]())
    cosine = gradient @ rounded / np.linalg.norm(gradient) / np.linalg.norm(rounded)
    return [*cells, f"{abs(rounded_value[0] / value[0] - 1):.2%}", f"{cosine:.4f}"]


def milliseconds(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} ms"


@click.command()
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Measured steps.",
)
@click.option(
    "--only",
    type=click.Choice(list(NETWORKS)),
    multiple=True,
    help="Repeatable.",
)
def main(steps: int, only: tuple[str, ...]) -> None:
    """Print a Markdown table of medians and of the speed-up over the network as trained."""
    print_table(HEAD, (row(name, steps) for name in only or NETWORKS), words=3)


if __name__ == "__main__":
    main()
