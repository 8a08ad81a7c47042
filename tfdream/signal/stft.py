"""The short-time Fourier transform and its exact inverse, in the graph.

Waveforms are float32 `[batch, samples]`, STFTs complex64 `[batch, frames, bins]`. Frames are
centered: the signal is padded by reflection, so that frame k is centered on sample k · hop.
"""

import functools
import math

import numpy as np
import scipy.signal
import tensorflow as tf

from tfdream.config import StftSpec
from tfdream.errors import ConfigError

# Squared windows below this hardly reach a sample at all: at hops near half a window, the last few
# samples of a signal. They fade out, where dividing by nearly nothing would amplify rounding.
_SMALLEST_OVERLAP = 1e-4
_EMPTY_POWER = 1e-20


def waveform_to_stft(waveform: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Analyse a batch of waveforms.

    Args:
      waveform: float32 `[batch, samples]`, more than half of `n_fft` samples.
      spec: the transform.

    Returns:
      complex64 `[batch, frames, bins]`.

    Raises:
      ConfigError: if the waveform is too short to be padded by reflection.
    """
    samples = waveform.shape[1]
    half = spec.n_fft // 2
    if samples is not None and samples <= half:
        raise ConfigError(
            f"a waveform of {samples} samples is too short for n_fft={spec.n_fft}; "
            f"give more than {half} samples or a smaller n_fft"
        )
    padded = tf.pad(waveform, [[0, 0], [half, half]], mode="REFLECT")
    return tf.signal.stft(
        padded,
        frame_length=spec.n_fft,
        frame_step=spec.hop_samples,
        fft_length=spec.n_fft,
        window_fn=_window,
    )


def stft_to_waveform(stft: tf.Tensor, spec: StftSpec, samples: int) -> tf.Tensor:
    """Invert an STFT: the waveform whose STFT is nearest in the least-squares sense.

    Windowed overlap-add over the sum of squared windows, so that an unchanged STFT gives back its
    waveform, to the edges (up to a hop of four tenths of n_fft; up to half of it, but for the last
    samples).

    Args:
      stft: complex64 `[batch, frames, bins]`.
      spec: the transform.
      samples: length of the result.

    Returns:
      float32 `[batch, samples]`.

    Source: Griffin and Lim, "Signal estimation from modified short-time Fourier transform",
    equation 6.
    """
    window = _window(spec.n_fft)
    pieces = tf.signal.irfft(stft, fft_length=[spec.n_fft]) * window
    total = tf.signal.overlap_and_add(pieces, spec.hop_samples)
    half = spec.n_fft // 2
    frames = stft.shape[1] or spec.frames(samples)
    waveform = total[:, half : half + samples] * _evenness(spec, frames, samples)
    missing = samples - tf.shape(waveform)[1]
    return tf.ensure_shape(tf.pad(waveform, [[0, 0], [0, missing]]), [None, samples])


@functools.cache  # the same for every clip and every step
def _evenness(spec: StftSpec, frames: int, samples: int) -> np.ndarray:
    """What makes overlapping squared windows add to one: float32 `[samples]`, or fewer."""
    squares = scipy.signal.get_window("hann", spec.n_fft).astype(np.float64) ** 2
    overlap = np.zeros((frames - 1) * spec.hop_samples + spec.n_fft)
    for frame in range(frames):
        start = frame * spec.hop_samples
        overlap[start : start + spec.n_fft] += squares
    inside = overlap[spec.n_fft // 2 :][:samples]
    return (1 / np.maximum(inside, _SMALLEST_OVERLAP)).astype(np.float32)


def low_pass(waveform: tf.Tensor, start: float = 0.92, end: float = 0.98) -> tf.Tensor:
    """Remove what resampling to another rate and back would not keep.

    Args:
      waveform: float32 `[batch, samples]`.
      start, end: where the filter begins to fall and where nothing is left, as shares of half the
        sample rate. The defaults are measured: up and down again by soxr in high quality.

    Returns:
      float32 `[batch, samples]`.
    """
    samples = tf.shape(waveform)[1]
    share = tf.linspace(0.0, 1.0, samples // 2 + 1)
    slope = tf.clip_by_value((end - share) / (end - start), 0.0, 1.0)
    gain = tf.cast(0.5 - 0.5 * tf.cos(math.pi * slope), tf.complex64)
    return tf.signal.irfft(tf.signal.rfft(waveform) * gain, fft_length=[samples])


def stft_to_power(stft: tf.Tensor) -> tf.Tensor:
    """re² + im², differentiable everywhere (the absolute value is not, at zero)."""
    return tf.math.real(stft) ** 2 + tf.math.imag(stft) ** 2


def stft_to_phase(stft: tf.Tensor) -> tf.Tensor:
    """The angle in radians, −π to π; 0 where a bin is empty and has no phase to differentiate."""
    empty = stft_to_power(stft) < _EMPTY_POWER
    real = tf.where(empty, 1.0, tf.math.real(stft))
    imaginary = tf.where(empty, 0.0, tf.math.imag(stft))
    return tf.math.atan2(imaginary, real)


def power_to_db(power: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Power of an STFT bin in dB; a sine of full scale has 0 dB. Digital silence has −200 dB."""
    full_scale = (spec.n_fft / 4) ** 2  # a sine's peak: half its amplitude × the window's sum
    return 10 / math.log(10) * tf.math.log(tf.maximum(power / full_scale, 1e-20))


def db_to_magnitude(level_db: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """The inverse of `power_to_db`, as magnitude."""
    return tf.exp(math.log(10) / 20 * level_db) * (spec.n_fft / 4)


def to_complex(magnitude: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
    """Magnitude and phase in radians → complex64 of the same shape."""
    return tf.complex(magnitude * tf.cos(phase), magnitude * tf.sin(phase))


def _window(samples: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
    return tf.signal.hann_window(samples, periodic=True, dtype=dtype)
