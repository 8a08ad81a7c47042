"""Objectives that increase the features of a guide, another audio file."""

from collections.abc import Callable

import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.objectives.base import (
    Activations,
    Objective,
    Reference,
    Targets,
    all_but_batch,
    positions,
    quoted,
)

# Largest number of pairs of positions whose scores fit into memory.
_MAX_PAIRS = 2**27


def guide_dot(layer: str) -> Objective:
    """The dot product of a layer's activations with those of the guide at the same position.

    Source: "Dreaming in Music", section III-C.
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        product = tf.cast(activations[layer], tf.float32) * targets
        return tf.reduce_sum(product, all_but_batch(product))

    return Objective(
        f"guide_dot({quoted(layer)})",
        frozenset({layer}),
        value,
        _guide_activations(layer),
        guided=True,
    )


def guide_match(layer: str) -> Objective:
    """The sum over all positions of the dot product with the best-matching position of the guide.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism", the guided dream.
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        features, guide = positions(activations[layer]), positions(targets)
        pairs = (features.shape[1] or 0) * (guide.shape[1] or 0)
        if pairs > _MAX_PAIRS:
            raise ConfigError(
                f"guide_match({layer}) would compare {features.shape[1]} positions with "
                f"{guide.shape[1]}, more than {_MAX_PAIRS} pairs; use a deeper layer or shorter "
                "tiles"
            )
        scores = tf.matmul(features, guide, transpose_b=True)
        return tf.reduce_sum(tf.reduce_max(scores, axis=2), axis=1)

    return Objective(
        f"guide_match({quoted(layer)})",
        frozenset({layer}),
        value,
        _guide_activations(layer),
        guided=True,
    )


def _guide_activations(layer: str) -> Callable[[Reference], Targets]:
    def precompute(reference: Reference) -> Targets:
        if reference.guide is None:
            raise ConfigError(f"an objective of {layer} needs a guide; give one with --guide")
        return tf.cast(reference.guide[layer], tf.float32)

    return precompute
