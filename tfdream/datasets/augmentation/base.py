"""Random draws that the augmentations share. They are stateless: they follow from a seed alone."""

from typing import Any

import tensorflow as tf

FREQUENCY, TIME = 1, 2
"""Axes of a batch of images."""


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Derive independent seeds from one seed."""
    seeds: list[tf.Tensor] = tf.unstack(tf.random.experimental.stateless_split(seed, count))
    return seeds


def draw(
    values: tf.Tensor, seed: tf.Tensor, low: float, high: float, dtype: Any = tf.float32
) -> tf.Tensor:
    """Draw one number for each example of a batch, uniform in [low, high): `[batch]`."""
    return tf.random.stateless_uniform(tf.shape(values)[:1], seed, low, high, dtype)


def per_example(numbers: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Reshape numbers `[batch]` so that they broadcast over values `[batch, …]`."""
    return tf.reshape(numbers, [-1] + [1] * (values.shape.rank - 1))


def roll(values: tf.Tensor, seed: tf.Tensor, limit: int, axis: int) -> tf.Tensor:
    """Shift each example circularly along an axis by up to `limit`, in either direction."""
    shift = draw(values, seed, -limit, limit + 1, tf.int32)
    # tf.roll moves blocks of memory: three times as fast as gathering single values.
    return tf.map_fn(
        lambda example: tf.roll(example[0], example[1], axis - 1),
        (values, shift),
        fn_output_signature=tf.TensorSpec(values.shape[1:], values.dtype),
    )


def between(begins: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Return where `[batch, n]` lies from the first true value of `begins` to the last of `ends`.

    >>> sounds = tf.constant([[False, True, False, True, False]])
    >>> between(sounds, sounds).numpy().tolist()
    [[False, True, True, True, False]]
    """
    started = tf.cumsum(tf.cast(begins, tf.int32), axis=1) > 0
    continues = tf.cumsum(tf.cast(ends, tf.int32), axis=1, reverse=True) > 0
    return started & continues


def check_range(low_name: str, low: float, high_name: str, high: float) -> None:
    """Check that the limits of a range are in order.

    Raises:
      ValueError: if they are not.
    """
    if low > high:
        raise ValueError(f"{low_name}={low:g} is above {high_name}={high:g}; exchange them")
