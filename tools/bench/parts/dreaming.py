"""A step of a dream: value and gradient of an objective, through frozen networks."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from dream_step import NETWORKS, step_through, timed
from timing import Cost, compare

from tfdream import models
from tfdream.models.frozen import freeze


def measure(folder: Path) -> list[Cost]:
    """Beside the networks as they were trained."""
    return [one(name) for name in NETWORKS]


def one(name: str) -> Cost:
    build, settings, layer = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model, shape = build(settings)
    tapped = models.tap(model, [layer or models.deepest_convolution(model)])
    image = tf.constant(np.random.default_rng(0).random((1, *shape)), tf.float32)
    trained, frozen = step_through(tapped, image), step_through(freeze(tapped), image)
    return compare(
        f"a step through {name}",
        partial(timed, frozen),
        "the network as trained",
        partial(timed, trained),
        operations=_operations(tapped, shape),
    )


def _operations(network: keras.Model, shape: tuple[int, ...]) -> float:
    """Of the convolutions and products of value and gradient: each way is as dear as the other."""
    forward = tf.function(network).get_concrete_function(tf.TensorSpec([1, *shape]))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    found = tf.compat.v1.profiler.profile(forward.graph, options=options)
    return 2.0 * found.total_float_ops
