"""Objectives that measure the roughness of the model's input."""

import tensorflow as tf

from tfdream.synthesis.ascent.objectives.base import (
    INPUT,
    Activations,
    Objective,
    Targets,
    all_but_batch,
)


def total_variation() -> Objective:
    """The mean absolute difference of neighbors in the model's input; use it negated.

    An axis with one cell has no neighbors and does not count.
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        image = activations[INPUT]
        total = tf.zeros(tf.shape(image)[:1])
        for axis in range(1, image.shape.rank - 1):
            if image.shape[axis] == 1:
                continue
            ahead = tf.roll(image, -1, axis)
            inside = [slice(None)] * axis + [slice(None, -1)]
            difference = tf.abs(ahead - image)[tuple(inside)]
            total += tf.reduce_mean(difference, all_but_batch(image))
        return total

    return Objective("total_variation()", frozenset(), value)
