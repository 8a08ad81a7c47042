"""Phase reconstruction: waveforms whose STFT has a given magnitude."""

import math
from typing import NamedTuple

import tensorflow as tf

from tfdream.config import PhaseConfig, StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.stft import (
    scale_cells,
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)

# Keeps the division by the magnitude of an empty bin finite.
_TINY = 1e-12


class PhaseConstraint(NamedTuple):
    """The given start of a waveform, which the reconstructed rest continues."""

    waveform: tf.Tensor
    """float32 `[batch, samples]` of the whole length; the values of free samples are ignored."""
    free_mask: tf.Tensor
    """float32 `[samples]`: 0 for fixed samples, 1 for free samples; values between crossfade."""
    fixed_frames: int
    """Number of first frames that contain fixed samples only."""


def magnitude_to_waveform(
    magnitude: tf.Tensor,
    spec: StftSpec,
    samples: int,
    config: PhaseConfig,
    original: tf.Tensor | None = None,
    seed: int = 0,
    constraint: PhaseConstraint | None = None,
) -> tf.Tensor:
    """Reconstruct a waveform from a magnitude: initialize the phase, and refine it by Griffin–Lim.

    Args:
      magnitude: float32 `[batch, frames, bins]`.
      spec: parameters of the transform.
      samples: length of the waveform.
      config: initial phase, and iterations of Griffin–Lim.
      original: phase of the original, radians `[batch, frames, bins]`, for init=original.
      seed: seed of random phases.
      constraint: given start of the waveform; requires init=pghi or random, and iterations.

    Returns:
      float32 `[batch, samples]`. The gradient treats an integrated phase as a constant.

    Raises:
      ConfigError: if init=original, and `original` is not given.
    """
    fixed_phase = None
    if constraint is not None:
        stft = waveform_to_stft(constraint.waveform, spec)
        fixed_phase = stft_to_phase(stft)[:, : constraint.fixed_frames]
    if config.init == "random":
        phase = random_phase(magnitude, seed)
        if fixed_phase is not None:
            phase = tf.concat([fixed_phase, phase[:, fixed_phase.shape[1] :]], axis=1)
    elif config.init == "pghi":
        phase = _integrated_phase(magnitude, spec, seed, fixed_phase)
    elif original is not None:
        phase = original
    else:
        raise ConfigError(
            "phase.init=original requires the phase of an original, and there is none; "
            "use init=pghi or random"
        )
    if config.iterations == 0 and constraint is None:
        return stft_to_waveform(to_complex(magnitude, phase), spec, samples)
    # As tensors: numbers of Python would be constants of a graph for each pair.
    iterations, momentum = tf.constant(config.iterations), tf.constant(config.momentum)
    return griffin_lim(magnitude, spec, samples, iterations, momentum, phase, constraint=constraint)


def random_phase(magnitude: tf.Tensor, seed: int = 0) -> tf.Tensor:
    """Return uniformly distributed phases from −π to π in the shape of `magnitude`."""
    return tf.random.stateless_uniform(
        tf.shape(magnitude), seed=[seed, 0], minval=-math.pi, maxval=math.pi
    )


@tf.function(reduce_retracing=True, autograph=False)
def griffin_lim(
    magnitude: tf.Tensor,
    spec: StftSpec,
    samples: int,
    iterations: int | tf.Tensor = 32,
    momentum: float | tf.Tensor = 0.99,
    phase: tf.Tensor | None = None,
    constraint: PhaseConstraint | None = None,
) -> tf.Tensor:
    """Find a waveform with the given STFT magnitude by alternating projections.

    Args:
      magnitude: float32 `[batch, frames, bins]`.
      spec: parameters of the transform.
      samples: length of the waveform.
      iterations: number of projections; each takes an STFT and its inverse.
      momentum: 0 for the plain algorithm, 0.99 for the fast one.
      phase: initial phase in radians `[batch, frames, bins]`; by default `random_phase`.
      constraint: given start of the waveform: a third projection, after the other two.

    Returns:
      float32 `[batch, samples]`.

    Source: Perraudin, Balazs and Søndergaard, "A fast Griffin–Lim algorithm", algorithm 2.
    """
    if phase is None:
        phase = random_phase(magnitude)

    def constrain(waveform: tf.Tensor) -> tf.Tensor:
        if constraint is None:
            return waveform
        return constraint.waveform + constraint.free_mask * (waveform - constraint.waveform)

    initial = constrain(stft_to_waveform(to_complex(magnitude, phase), spec, samples))

    def project(step: tf.Tensor, waveform: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # The STFT is linear, so that momentum can be applied to samples, which are fewer than bins.
        ahead = waveform_to_stft(waveform + momentum * (waveform - last), spec)
        scale = magnitude * tf.math.rsqrt(stft_to_power(ahead) + _TINY**2)
        target = scale_cells(ahead, scale)
        return step + 1, constrain(stft_to_waveform(target, spec, samples)), waveform

    _, waveform, _ = tf.while_loop(
        lambda step, *_: step < iterations,
        project,
        (tf.constant(0), initial, tf.zeros_like(initial)),
    )
    return waveform


def spectral_error(
    waveform: tf.Tensor, magnitude: tf.Tensor, spec: StftSpec
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the energy of the difference between a waveform's magnitude and a target.

    Args:
      waveform: float32 `[batch, samples]`.
      magnitude: float32 `[batch, frames, bins]`, the target.
      spec: parameters of the transform.

    Returns:
      Energies of the error and of the target, float32 `[batch]` each; see `energy_db`.
    """
    error = tf.abs(waveform_to_stft(waveform, spec)) - magnitude
    axes = [1, 2]
    return tf.reduce_sum(error**2, axes), tf.reduce_sum(magnitude**2, axes)


def energy_db(error: float, target: float) -> float:
    """Return the spectral convergence 10·log10(error / target) in dB, at least −200.

    Args:
      error: energy of the error.
      target: energy of the target.

    >>> energy_db(error=5.0, target=50.0)
    -10.0
    """
    return 10 * math.log10(max(error / max(target, _TINY), 1e-20))


def _integrated_phase(
    magnitude: tf.Tensor, spec: StftSpec, seed: int, fixed_phase: tf.Tensor | None
) -> tf.Tensor:
    from tfdream.signal.pghi import integrate_phase

    # Stateless: the same magnitude has the same phase.
    phase = tf.numpy_function(
        lambda values, *fixed: integrate_phase(values, spec, seed, *fixed),
        [magnitude] if fixed_phase is None else [magnitude, fixed_phase],
        tf.float32,
        stateful=False,
    )
    return tf.ensure_shape(phase, magnitude.shape)
