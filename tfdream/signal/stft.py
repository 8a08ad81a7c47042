"""The short-time Fourier transform and its exact inverse, as TensorFlow operations.

Waveforms are float32 `[batch, samples]`, STFTs complex64 `[batch, frames, bins]`. Frames are
centered: the signal is padded by reflection, so that frame k is centered on sample k · hop.
"""

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.decibels import db_to_amplitude, power_to_db
from tfdream.signal.windows import hann

# Sums of squared windows below this occur at hops near half a window, for the last few samples of a
# signal. These samples fade out: division by a smaller number would amplify rounding errors.
_SMALLEST_OVERLAP = 1e-4
_EMPTY_POWER = 1e-20
# Ends of the transition of soxr's high quality, as shares of half the lower rate: measured on
# signals that are resampled to that rate and back.
_PASSBAND, _STOPBAND = 0.92, 0.98


def waveform_to_stft(waveform: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Compute the STFT of a batch of waveforms.

    Args:
      waveform: float32 `[batch, samples]` of more than `n_fft` / 2 samples.
      spec: parameters of the transform.

    Returns:
      complex64 `[batch, frames, bins]`.

    Raises:
      ConfigError: if the waveform is too short to be padded by reflection.

    >>> waveform = tf.cos(2 * math.pi * 16 / 256 * tf.range(1000.0))[tf.newaxis]
    >>> stft = waveform_to_stft(waveform, StftSpec(n_fft=256, hop_samples=64))
    >>> stft.shape
    TensorShape([1, 16, 129])
    >>> int(tf.argmax(tf.abs(stft[0, 8])))
    16
    """
    samples = waveform.shape[1]
    half = spec.n_fft // 2
    if samples is not None and samples <= half:
        raise ConfigError(
            f"a waveform of {samples} samples is too short for n_fft={spec.n_fft}; "
            f"use more than {half} samples or a smaller n_fft"
        )
    padded = tf.pad(waveform, [[0, 0], [half, half]], mode="REFLECT")
    frames = _frame(padded, spec)
    return tf.signal.rfft(frames * _window(spec.n_fft, frames.dtype), [spec.n_fft])


def stft_to_waveform(stft: tf.Tensor, spec: StftSpec, samples: int) -> tf.Tensor:
    """Return the waveform whose STFT is nearest to a given one in the least-squares sense.

    The windowed overlap-add is divided by the sum of squared windows, so that an unmodified STFT
    gives its waveform, including the edges. With a hop above 0.4 n_fft the last samples fade out.

    Args:
      stft: complex64 `[batch, frames, bins]`.
      spec: parameters of the transform.
      samples: length of the waveform.

    Returns:
      float32 `[batch, samples]`.

    Source: Griffin and Lim, "Signal estimation from modified short-time Fourier transform",
    equation 6.

    >>> spec, waveform = StftSpec(n_fft=256, hop_samples=64), tf.sin(tf.range(1000.0))[tf.newaxis]
    >>> inverse = stft_to_waveform(waveform_to_stft(waveform, spec), spec, samples=1000)
    >>> bool(tf.reduce_max(tf.abs(inverse - waveform)) < 1e-5)
    True
    """
    pieces = tf.signal.irfft(stft, fft_length=[spec.n_fft])
    total = _overlap_and_add(pieces * _window(spec.n_fft, pieces.dtype), spec)
    half = spec.n_fft // 2
    frames = stft.shape[1] or spec.frames(samples)
    waveform = total[:, half : half + samples] * _overlap_add_normalizer(spec, frames, samples)
    missing = samples - tf.shape(waveform)[1]
    return tf.ensure_shape(tf.pad(waveform, [[0, 0], [0, missing]]), [None, samples])


@functools.cache  # equal for all clips and steps
def _overlap_add_normalizer(spec: StftSpec, frames: int, samples: int) -> NDArray[np.float32]:
    """Return the inverse of the sum of squared windows: float32 `[samples]`, or fewer."""
    squares = hann(spec.n_fft) ** 2
    overlap = np.zeros((frames - 1) * spec.hop_samples + spec.n_fft)
    for frame in range(frames):
        start = frame * spec.hop_samples
        overlap[start : start + spec.n_fft] += squares
    inside = overlap[spec.n_fft // 2 :][:samples]
    normalizer: NDArray[np.float32] = (1 / np.maximum(inside, _SMALLEST_OVERLAP)).astype(np.float32)
    return normalizer


def low_pass(waveform: tf.Tensor, passband: float = 1.0) -> tf.Tensor:
    """Remove the frequencies that resampling to another rate and back removes.

    Args:
      waveform: float32 `[batch, samples]`.
      passband: the lower one of both rates, relative to that of the waveform.

    Returns:
      float32 `[batch, samples]`.
    """
    samples = tf.shape(waveform)[1]
    share = tf.linspace(0.0, 1.0 / passband, samples // 2 + 1)
    slope = tf.clip_by_value((_STOPBAND - share) / (_STOPBAND - _PASSBAND), 0.0, 1.0)
    gain = tf.cast(0.5 - 0.5 * tf.cos(math.pi * slope), tf.complex64)
    return tf.signal.irfft(tf.signal.rfft(waveform) * gain, fft_length=[samples])


def stft_to_power(stft: tf.Tensor) -> tf.Tensor:
    """Return the squared magnitude, which is differentiable at zero, unlike the magnitude."""
    return tf.square(tf.math.real(stft)) + tf.square(tf.math.imag(stft))


def stft_to_phase(stft: tf.Tensor) -> tf.Tensor:
    """Return the phase in radians, −π to π; empty bins have phase 0 and a gradient of zero."""
    empty = stft_to_power(stft) < _EMPTY_POWER
    real = tf.where(empty, 1.0, tf.math.real(stft))
    imaginary = tf.where(empty, 0.0, tf.math.imag(stft))
    return tf.math.atan2(imaginary, real)


def power_to_dbfs(power: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Convert the power of an STFT to dB relative to a full-scale sine; silence has −200 dB.

    >>> spec = StftSpec(n_fft=256, hop_samples=64)
    >>> power_to_dbfs(tf.constant([64.0**2, 6.4**2, 0.0]), spec).numpy().round(3)
    array([   0.,  -20., -200.], dtype=float32)
    """
    full_scale = (spec.n_fft / 4) ** 2  # peak of a sine: half its amplitude × the window's sum
    return power_to_db(tf.maximum(power / full_scale, 1e-20))


def dbfs_to_magnitude(level_db: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Convert dB relative to a full-scale sine to the magnitude of an STFT.

    >>> magnitude = dbfs_to_magnitude(tf.constant(-20.0), StftSpec(n_fft=256, hop_samples=64))
    >>> round(float(magnitude), 3)
    6.4
    """
    return db_to_amplitude(level_db) * (spec.n_fft / 4)


def to_complex(magnitude: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
    """Combine magnitude and phase in radians to complex64 of the same shape."""
    return tf.complex(magnitude * tf.cos(phase), magnitude * tf.sin(phase))


def scale_cells(stft: tf.Tensor, gain: tf.Tensor) -> tf.Tensor:
    """Multiply the complex cells of an STFT by real factors of a shape that fits.

    Unlike a cast of the factors to complex numbers, it has a gradient without a warning.

    >>> scale_cells(tf.constant([1 + 2j], tf.complex64), tf.constant([0.5])).numpy().tolist()
    [(0.5+1j)]
    """
    return tf.complex(gain * tf.math.real(stft), gain * tf.math.imag(stft))


@functools.cache  # as an array, which any graph may use
def _window(samples: int, dtype: tf.DType) -> NDArray[np.floating[Any]]:
    with tf.init_scope(), tf.device("CPU:0"):  # GPUs may round differently
        window: NDArray[np.floating[Any]] = tf.signal.hann_window(samples, dtype=dtype).numpy()
    return window


def _frame(waveform: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Cut `[batch, samples]` into overlapping frames `[batch, frames, n_fft]`.

    `tf.signal.frame` computes the same with forty operations, which take longer than the transform
    of a clip.
    """
    samples, hop = waveform.shape[1], spec.hop_samples
    if samples is None or spec.n_fft % hop:
        return tf.signal.frame(waveform, spec.n_fft, hop)
    count, parts = samples // hop, spec.n_fft // hop
    pieces = tf.reshape(waveform[:, : count * hop], [-1, count, hop])
    selected = tf.gather(pieces, _parts_of_frames(count, parts), axis=1)
    return tf.reshape(selected, [-1, count - parts + 1, spec.n_fft])


@functools.cache
def _parts_of_frames(count: int, parts: int) -> NDArray[np.int32]:
    """Return the pieces of each frame: int32 `[frames, parts]`."""
    return np.add.outer(np.arange(count - parts + 1), np.arange(parts)).astype(np.int32)


def _overlap_and_add(pieces: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Add overlapping frames `[batch, frames, n_fft]` to `[batch, samples]`.

    It equals `tf.signal.overlap_and_add`, which computes shapes and axes as tensors.
    """
    frames, hop = pieces.shape[1], spec.hop_samples
    if frames is None or spec.n_fft % hop:
        return tf.signal.overlap_and_add(pieces, hop)
    parts = spec.n_fft // hop
    count = frames + parts - 1
    x = tf.transpose(tf.reshape(pieces, [-1, frames, parts, hop]), [0, 2, 1, 3])
    # Rows are extended by `parts` and cut by one less, so that each begins one piece later.
    x = tf.pad(x, [[0, 0], [0, 0], [0, parts], [0, 0]])
    x = tf.reshape(x, [-1, parts * (count + 1), hop])[:, : parts * count]
    total = tf.reduce_sum(tf.reshape(x, [-1, parts, count, hop]), axis=1)
    return tf.reshape(total, [-1, count * hop])
