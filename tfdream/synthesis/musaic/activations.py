"""Sparse non-negative activations of a dictionary of frames, as TensorFlow operations."""

import tensorflow as tf

from tfdream.config.musaic import ActivationConfig

_TINY = 1e-9


def activate(target: tf.Tensor, dictionary: tf.Tensor, config: ActivationConfig) -> tf.Tensor:
    """Approximate magnitudes by a non-negative combination of the frames of a dictionary.

    Multiplicative updates decrease the generalized Kullback–Leibler divergence of the combination.
    Before each one, activations that violate a restriction are multiplied by 1 − i/I in iteration i
    of I: those that are not the largest of their frame of the dictionary within a neighborhood in
    time (repetition), and those that are not among the largest of their time (polyphony). Then they
    are summed along the diagonal, on which successive frames of a segment follow each other in
    time (continuity). Frame n depends only on targets that are at most iterations ·
    (repetition_frames + continuity_frames) frames away, which is the context that tiles need.

    Args:
      target: magnitudes float32 `[batch, frames, bands]`.
      dictionary: magnitudes of the frames of segments, float32 `[segments, atoms, bands]`.
      config: restrictions and number of iterations.

    Returns:
      float32 `[batch, frames, segments, atoms]`.

    Source: Driedger, Prätzlich and Müller, "Let It Bee – Towards NMF-inspired audio mosaicing",
    equations 2 to 6, with equal activations as the start.
    """
    segments, atoms, bands = dictionary.shape
    frames = tf.reshape(dictionary, [segments * atoms, bands])
    norm = tf.reduce_sum(frames, axis=1) + _TINY
    shape = tf.shape(target)[:2]
    activations = tf.ones(tf.concat([shape, [segments * atoms]], axis=0))
    for iteration in range(config.iterations + 1):
        if iteration:  # equal activations have no largest ones
            remaining = 1 - iteration / config.iterations
            activations = _restrict_repetition(activations, config.repetition_frames, remaining)
            activations = _restrict_polyphony(activations, config.polyphony, remaining)
            activations = _sum_diagonals(activations, atoms, config.continuity_frames)
        ratio = target / (tf.matmul(activations, frames) + _TINY)
        activations *= tf.matmul(ratio, frames, transpose_b=True) / norm
    return tf.reshape(activations, tf.concat([shape, [segments, atoms]], axis=0))


def _restrict_repetition(activations: tf.Tensor, reach: int, remaining: float) -> tf.Tensor:
    """Attenuate what is not the maximum over `reach` frames before and after."""
    maxima = tf.nn.max_pool1d(activations, 2 * reach + 1, strides=1, padding="SAME")
    return tf.where(activations >= maxima, activations, remaining * activations)


def _restrict_polyphony(activations: tf.Tensor, polyphony: int, remaining: float) -> tf.Tensor:
    """Attenuate what is not among the largest activations of a frame."""
    count = min(polyphony, activations.shape[-1])
    least = tf.math.top_k(activations, count, sorted=True).values[..., -1:]
    return tf.where(activations >= least, activations, remaining * activations)


def _sum_diagonals(activations: tf.Tensor, atoms: int, reach: int) -> tf.Tensor:
    """Sum over `reach` steps back and forth in both time and the frames of a segment.

    The sums of 1, 2, 4, … steps are built from each other. The order of the additions is fixed,
    because the restrictions amplify rounding: TensorFlow may reorder those of `add_n`, and
    Grappler makes an `add_n` of a chain of additions, but not of a reduction.
    """
    batch, frames, count = tf.unstack(tf.shape(activations))
    by_segment = tf.reshape(activations, [batch, frames, count // atoms, atoms])
    sums = tf.pad(by_segment, [[0, 0], [reach, reach], [0, 0], [reach, reach]])
    parts, start, length, steps = [], 0, 1, 2 * reach + 1
    while True:
        if steps & length:
            parts.append(sums[:, start : start + frames, :, start : start + atoms])
            start += length
        if 2 * length > steps:
            return tf.reshape(tf.reduce_sum(tf.stack(parts), axis=0), [batch, frames, count])
        sums = sums[:, :-length, :, :-length] + sums[:, length:, :, length:]
        length *= 2
