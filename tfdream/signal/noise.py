"""White noise that depends on the position in a file, so that neighboring tiles continue it."""

import tensorflow as tf

_BLOCK = 1 << 14
"""Samples that are drawn at a time, from a seed that contains their position in the file."""


def white_noise(starts: tf.Tensor, samples: int, seed: int = 0) -> tf.Tensor:
    """Return white noise of deviation 1 at positions in a file.

    Args:
      starts: positions in samples, int64 `[batch]`.
      samples: length of each result.
      seed: selects the noise of the file.

    Returns:
      float32 `[batch, samples]`.

    >>> first, later = white_noise(tf.constant([0, 40_000], tf.int64), 50_000)
    >>> bool(tf.reduce_all(first[40_000:] == later[:10_000]))
    True
    """
    blocks = -(-samples // _BLOCK) + 1

    def draw(block: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal([_BLOCK], [seed, block])

    def one(start: tf.Tensor) -> tf.Tensor:
        numbers = start // _BLOCK + tf.range(blocks, dtype=tf.int64)
        noise = tf.map_fn(draw, numbers, fn_output_signature=tf.float32)
        offset = tf.cast(start % _BLOCK, tf.int32)
        return tf.slice(tf.reshape(noise, [-1]), [offset], [samples])

    return tf.map_fn(one, starts, fn_output_signature=tf.TensorSpec([samples], tf.float32))
