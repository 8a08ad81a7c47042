"""Distances of rhythm and harmony from the original, for transfers that keep them."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.signal.frontends import Frontend
from tfdream.synthesis.ascent.objectives.base import (
    INPUT,
    Activations,
    Objective,
    Reference,
    Targets,
    all_but_batch,
)
from tfdream.synthesis.ascent.spectrum import Spectrum

_PITCH_CLASSES = 12
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 5000.0
_TUNING_HZ = 440.0
_SHARPNESS_SEMITONES = 0.5
_TINY = 1e-12


def rhythm() -> Objective:
    """The squared difference of the onset strength to the original's, relative to it.

    The onset strength is the rise of the model's input from column to column, averaged over rows
    and channels; its unit is that of the input, which need not be dB.

    Source: Böck and Widmer, "Maximum filter vibrato suppression for onset detection", equation 1,
    without the maximum filter.
    """

    def strength(image: tf.Tensor) -> tf.Tensor:
        rise = tf.nn.relu(image[:, :, 1:] - image[:, :, :-1])
        return tf.reduce_mean(rise, axis=[1, 3])

    return _relative_difference("rhythm()", strength)


def harmony(frontend: Frontend, sample_rate: int) -> Objective:
    """The squared difference of the chroma to the original's, relative to it.

    The chroma is the energy of each pitch class in each column, relative to the mean over columns.

    Args:
      frontend: makes the model's input.
      sample_rate: of the waveform, in Hz.

    Raises:
      ConfigError: if the input is no image of levels or magnitudes over frequency.

    Source: Müller, "Fundamentals of Music Processing", section 3.1.2.
    """
    spectrum = Spectrum.of(frontend, sample_rate, "keep=harmony")

    def chroma(image: tf.Tensor) -> tf.Tensor:
        power = spectrum.power(image)
        hertz = spectrum.frequencies_hz(image.shape[1])
        energy = tf.sqrt(tf.einsum("bft,fc->btc", power, tf.constant(pitch_classes(hertz))) + _TINY)
        return energy / (tf.reduce_mean(energy, axis=[1, 2], keepdims=True) + _TINY)

    return _relative_difference("harmony()", chroma)


def pitch_classes(frequencies_hz: NDArray[Any]) -> NDArray[np.float32]:
    """Return the weights of frequencies in each pitch class, `[frequencies, 12]`; C is the first.

    >>> int(pitch_classes(np.array([440.0])).argmax())
    9
    """
    semitones = 12 * np.log2(np.maximum(frequencies_hz, 1.0) / _TUNING_HZ) + 9
    distance = (semitones[:, np.newaxis] - np.arange(_PITCH_CLASSES) + 6) % 12 - 6
    weights = np.exp(-0.5 * (distance / _SHARPNESS_SEMITONES) ** 2)
    inside = (frequencies_hz >= _LOWEST_HZ) & (frequencies_hz <= _HIGHEST_HZ)
    matrix: NDArray[np.float32] = (weights * inside[:, np.newaxis]).astype(np.float32)
    return matrix


def _relative_difference(name: str, feature: Any) -> Objective:
    """Return the energy of the change of a feature of the model's input, relative to its own."""

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        original, energy = targets
        difference = feature(tf.cast(activations[INPUT], tf.float32)) - original
        return tf.reduce_sum(difference**2, all_but_batch(difference)) / energy

    def precompute(reference: Reference) -> Targets:
        original = feature(tf.cast(reference.original[INPUT], tf.float32))
        return original, tf.reduce_sum(original**2, all_but_batch(original)) + _TINY

    return Objective(name, frozenset(), value, precompute)
