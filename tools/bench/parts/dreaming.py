"""Value and gradient of an objective through frozen networks."""

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
    """Compare with the networks as trained."""
    return [one(name) for name in NETWORKS]


def one(name: str) -> Cost:
    build, settings, layer = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model, shape = build(settings)
    tapped = inspect.tap(model, [layer or inspect.deepest_convolution(model)])
    image = tf.constant(np.random.default_rng(0).random((1, *shape)), tf.float32)
    return compare(
        f"one step through {name}",
        step_through(freeze(tapped), image),
        "the unfolded network",
        step_through(tapped, image),
        warm_up=2,
        # The backward pass to the image costs as much as the forward pass.
        operations=2 * operations(tapped, shape),
    )
