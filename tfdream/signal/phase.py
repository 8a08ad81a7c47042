"""Phase for a magnitude: the waveform whose STFT comes nearest to it."""

import math
from typing import NamedTuple

import tensorflow as tf

from tfdream.config import PhaseConfig, StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.stft import (
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)

# Keeps the division by a bin's own magnitude finite where the bin is empty.
_TINY = 1e-12


class PhaseConstraint(NamedTuple):
    """The beginning of a waveform that is there already, and that the rest has to go on from."""

    waveform: tf.Tensor
    """float32 `[batch, samples]`, of the whole length; what is free may be anything."""
    free_mask: tf.Tensor
    """float32 `[samples]`: 0 where samples stay as they are, 1 where they are free."""
    frames: int
    """So many frames lie wholly in what stays: their phase is known."""


def magnitude_to_waveform(
    magnitude: tf.Tensor,
    spec: StftSpec,
    samples: int,
    config: PhaseConfig,
    original: tf.Tensor | None = None,
    seed: int = 0,
    held: PhaseConstraint | None = None,
) -> tf.Tensor:
    """Render a magnitude: choose a phase, and mend it by Griffin–Lim.

    Args:
      magnitude: float32 `[batch, frames, bins]`.
      spec: the transform.
      samples: length of the result.
      config: where the phase starts, and how often it is mended.
      original: the original's phase, radians `[batch, frames, bins]`, for init=original.
      seed: of what is random in the start.
      held: what the waveform begins with; it needs a start and iterations.

    Returns:
      float32 `[batch, samples]`. Its gradient takes an integrated phase for a constant.

    Raises:
      ConfigError: if the phase starts from the original's, and that is not given.
    """
    known = None
    if held is not None:
        known = stft_to_phase(waveform_to_stft(held.waveform, spec))[:, : held.frames]
    if config.init == "random":
        phase = random_phase(magnitude, seed)
        if known is not None:
            phase = tf.concat([known, phase[:, known.shape[1] :]], axis=1)
    elif config.init == "pghi":
        phase = _integrated_phase(magnitude, spec, seed, known)
    elif original is not None:
        phase = original
    else:
        raise ConfigError(
            "phase.init=original needs the phase of an original, and there is none; "
            "use init=pghi or random"
        )
    if config.iterations == 0 and held is None:
        return stft_to_waveform(to_complex(magnitude, phase), spec, samples)
    iterations, momentum = config.iterations, config.momentum
    return griffin_lim(magnitude, spec, samples, iterations, momentum, phase, held=held)


def random_phase(magnitude: tf.Tensor, seed: int = 0) -> tf.Tensor:
    """Radians from −π to π, of the shape of `magnitude`."""
    return tf.random.stateless_uniform(
        tf.shape(magnitude), seed=[seed, 0], minval=-math.pi, maxval=math.pi
    )


@tf.function(reduce_retracing=True)
def griffin_lim(
    magnitude: tf.Tensor,
    spec: StftSpec,
    samples: int,
    iterations: int = 32,
    momentum: float = 0.99,
    phase: tf.Tensor | None = None,
    seed: int = 0,
    held: PhaseConstraint | None = None,
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
      held: what the waveform begins with: a third projection, after the other two.

    Returns:
      float32 `[batch, samples]`.

    Source: Perraudin, Balazs and Søndergaard, "A fast Griffin–Lim algorithm", algorithm 2.
    """
    if phase is None:
        phase = random_phase(magnitude, seed)

    def begin(waveform: tf.Tensor) -> tf.Tensor:
        if held is None:
            return waveform
        return held.waveform + held.free_mask * (waveform - held.waveform)

    start = begin(stft_to_waveform(to_complex(magnitude, phase), spec, samples))

    def project(step: tf.Tensor, waveform: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # The STFT is linear: looking ahead in samples is the same, and they are fewer.
        ahead = waveform_to_stft(waveform + momentum * (waveform - last), spec)
        scale = magnitude * tf.math.rsqrt(stft_to_power(ahead) + _TINY**2)
        wanted = tf.complex(scale * tf.math.real(ahead), scale * tf.math.imag(ahead))
        return step + 1, begin(stft_to_waveform(wanted, spec, samples)), waveform

    _, waveform, _ = tf.while_loop(
        lambda step, *_: step < iterations,
        project,
        (tf.constant(0), start, tf.zeros_like(start)),
    )
    return waveform


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


def _integrated_phase(
    magnitude: tf.Tensor, spec: StftSpec, seed: int, known: tf.Tensor | None
) -> tf.Tensor:
    from tfdream.signal.pghi import integrate_phase

    # Without state: the same magnitude has the same phase.
    found = tf.numpy_function(
        lambda values, *known: integrate_phase(values, spec, seed, *known),
        [magnitude] if known is None else [magnitude, known],
        tf.float32,
        stateful=False,
    )
    return tf.ensure_shape(found, magnitude.shape)
