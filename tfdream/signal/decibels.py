"""Conversions between dB, power and amplitude, as TensorFlow operations."""

import math

import tensorflow as tf


def power_to_db(power: tf.Tensor) -> tf.Tensor:
    """Convert power above 0 to dB.

    >>> power_to_db(tf.constant([1.0, 100.0])).numpy().round(3)
    array([ 0., 20.], dtype=float32)
    """
    return 10 / math.log(10) * tf.math.log(power)


def db_to_power(db: tf.Tensor) -> tf.Tensor:
    """Convert dB to power; the inverse of `power_to_db`.

    >>> db_to_power(tf.constant([0.0, 20.0])).numpy().round(3)
    array([  1., 100.], dtype=float32)
    """
    return tf.exp(math.log(10) / 10 * db)


def db_to_amplitude(db: tf.Tensor) -> tf.Tensor:
    """Convert a gain in dB to a factor.

    >>> db_to_amplitude(tf.constant([0.0, 20.0])).numpy().round(3)
    array([ 1., 10.], dtype=float32)
    """
    return tf.exp(math.log(10) / 20 * db)
