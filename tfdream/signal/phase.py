"""Phase for a magnitude: the waveform whose STFT comes nearest to it."""

import math

import tensorflow as tf

from tfdream.config import StftSpec
from tfdream.signal.stft import stft_to_waveform, to_complex, waveform_to_stft

# Keeps the division by a bin's own magnitude finite where the bin is empty.
_TINY = 1e-12


@tf.function(reduce_retracing=True)
def griffin_lim(
    magnitude: tf.Tensor,
    spec: StftSpec,
    samples: int,
    iterations: int = 32,
    momentum: float = 0.99,
    phase: tf.Tensor | None = None,
    seed: int = 0,
) -> tf.Tensor:
    """Find a waveform with the given STFT magnitude by alternating projections.

    Args:
      magnitude: float32 `[batch, frames, bins]`.
      spec: the transform.
      samples: length of the result.
      iterations: projections; each costs an STFT and its inverse.
      momentum: 0 for the plain algorithm, 0.99 for the fast one.
      phase: radians `[batch, frames, bins]` to start from; random without.
      seed: of the random phase.

    Returns:
      float32 `[batch, samples]`.

    Source: Perraudin, Balazs and Søndergaard, "A fast Griffin–Lim algorithm", algorithm 2.
    """
    if phase is None:
        phase = tf.random.stateless_uniform(
            tf.shape(magnitude), seed=[seed, 0], minval=-math.pi, maxval=math.pi
        )
    start = to_complex(magnitude, phase)

    def project(_: tf.Tensor, estimate: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        consistent = waveform_to_stft(stft_to_waveform(estimate, spec, samples), spec)
        ahead = consistent + tf.cast(momentum, tf.complex64) * (consistent - last)
        unit = ahead / tf.cast(tf.abs(ahead) + _TINY, tf.complex64)
        return _ + 1, tf.cast(magnitude, tf.complex64) * unit, consistent

    _, estimate, _ = tf.while_loop(
        lambda step, *_: step < iterations,
        project,
        (tf.constant(0), start, tf.zeros_like(start)),
    )
    return stft_to_waveform(estimate, spec, samples)


def spectral_error(
    waveform: tf.Tensor, magnitude: tf.Tensor, spec: StftSpec
) -> tuple[tf.Tensor, tf.Tensor]:
    """How far the STFT of a waveform is from a wanted magnitude.

    Args:
      waveform: float32 `[batch, samples]`.
      magnitude: float32 `[batch, frames, bins]`, wanted.
      spec: the transform.

    Returns:
      Energies of the error and of the wanted magnitude, both float32 `[batch]`; see `energy_db`.
    """
    error = tf.abs(waveform_to_stft(waveform, spec)) - magnitude
    axes = [1, 2]
    return tf.reduce_sum(error**2, axes), tf.reduce_sum(magnitude**2, axes)


def energy_db(error: float, wanted: float) -> float:
    """Spectral convergence in dB, 10·log10(error / wanted): lower is better, at least −200."""
    return 10 * math.log10(max(error / max(wanted, _TINY), 1e-20))
