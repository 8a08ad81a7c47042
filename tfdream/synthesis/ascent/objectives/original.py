"""Objectives that measure the distance from the original."""

import tensorflow as tf

from tfdream.synthesis.ascent.objectives.base import (
    INPUT,
    Activations,
    Objective,
    Reference,
    Targets,
    all_but_batch,
    quoted,
    root_mean,
)


def content(layer: str) -> Objective:
    """Half the squared distance of a layer's activations from the original's; use it negated.

    With an init from noise it inverts the layer.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style", equation 1; Mahendran
    and Vedaldi, "Understanding deep image representations by inverting them".
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        difference = tf.cast(activations[layer], tf.float32) - targets
        return tf.reduce_sum(difference**2, all_but_batch(difference)) / 2

    def precompute(reference: Reference) -> Targets:
        return tf.cast(reference.original[layer], tf.float32)

    return Objective(
        f"content({quoted(layer)})", frozenset({layer}), value, precompute, aligned=True
    )


def distance() -> Objective:
    """The root mean square difference from the original's model input; use it negated."""

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        return root_mean((activations[INPUT] - targets) ** 2)

    return Objective("distance()", frozenset(), value, lambda reference: reference.original[INPUT])
