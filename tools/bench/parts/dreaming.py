"""A step of a dream: value and gradient of an objective, through frozen networks."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from dream_step import NETWORKS
from networks import operations, step_through
from timing import Cost, compare

from tfdream.models import inspect
from tfdream.models.freeze import freeze


def measure(folder: Path) -> list[Cost]:
    """Beside the networks as they were trained."""
    return [one(name) for name in NETWORKS]


def one(name: str) -> Cost:
    build, settings, layer = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model, shape = build(settings)
    tapped = inspect.tap(model, [layer or inspect.deepest_convolution(model)])
    image = tf.constant(np.random.default_rng(0).random((1, *shape)), tf.float32)
    return compare(
        f"a step through {name}",
        step_through(freeze(tapped), image),
        "the network as trained",
        step_through(tapped, image),
        warm_up=2,
        # The way back to the image is as dear as the way there.
        operations=2 * operations(tapped, shape),
    )
