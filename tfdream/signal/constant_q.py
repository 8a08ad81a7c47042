"""The constant-Q transform: bands at equal ratios of frequency, with windows of Q periods.

Low bands have a high resolution in frequency, high bands in time. Each octave is analyzed at a
reduced sample rate at which its windows have a few hundred samples. There, direct convolution is as
fast as the product of spectra of Brown and Puckette, which at the full rate requires an FFT of
16384 samples for every frame.

Source: Brown and Puckette, "An efficient algorithm for the calculation of a constant Q transform",
for the transform; Schörkhuber and Klapuri, "Constant-Q transform toolbox for music processing", for
octaves at decreasing rates.
"""

import math
from typing import Annotated, NamedTuple

import numpy as np
import tensorflow as tf
from pydantic import Field

from tfdream.config import Config, Count, StftSpec
from tfdream.errors import ConfigError

REFERENCE_STFT = StftSpec()
"""A full-scale sine has the same power in a band as in a bin of this STFT, so that scales fit."""
# Ratio of half the sample rate to an octave's upper edge: a Hann window of Q periods attenuates
# frequencies above that by 85 dB.
_HEADROOM = 2


class ConstantQSpec(Config):
    """Bands at equal musical intervals, each with a window of Q periods of its frequency.

    >>> ConstantQSpec(bands_per_octave=12, octaves=8).bands
    96
    """

    min_hz: Annotated[float, Field(ge=10, allow_inf_nan=False)] = 32.7032
    """Frequency of the lowest band; the default is the note C1."""
    bands_per_octave: Annotated[int, Field(ge=12, le=96)] = 12
    octaves: Annotated[int, Field(ge=1, le=14)] = 8
    hop_samples: Count = 512
    """Samples from frame to frame. Multiples of 32 or more are fastest: low octaves are analyzed at
    a half, a quarter, … of the rate, as far as these divide the hop."""

    @property
    def bands(self) -> int:
        """Number of bands in all octaves."""
        return self.bands_per_octave * self.octaves

    @property
    def quality(self) -> float:
        """Q: a band's frequency over the distance to the next band."""
        return 1 / (2 ** (1 / self.bands_per_octave) - 1)

    def frames(self, samples: int) -> int:
        """Number of frames of a signal; the first one is centered on the first sample."""
        return 1 + samples // self.hop_samples


class Octave(NamedTuple):
    """Kernels of the bands of one octave."""

    halvings: int
    """Number of times that the sample rate is halved before."""
    kernels: tf.Tensor
    """float32 `[samples, 1, 2 × bands]`: windowed cosines, then sines."""

    @property
    def half(self) -> int:
        """Half of the longest window in samples at the reduced rate."""
        return int(self.kernels.shape[0]) // 2


class ConstantQ:
    """Computes the power of bands of waveforms.

    Args:
      config: bands and hop.
      sample_rate: in Hz.

    Raises:
      ConfigError: if the bands reach beyond half the sample rate.

    >>> transform = ConstantQ(ConstantQSpec(min_hz=110, octaves=4), sample_rate=22050)
    >>> tone = tf.sin(2 * math.pi * 440 / 22050 * tf.range(22050.0))[tf.newaxis]
    >>> power = transform.waveform_to_power(tone)
    >>> power.shape
    TensorShape([1, 44, 48])
    >>> int(tf.argmax(power[0, 20]))  # two octaves above 110 Hz
    24
    """

    def __init__(self, config: ConstantQSpec, sample_rate: int) -> None:
        _check_range(config, sample_rate)
        self.config = config
        self.octaves = [
            _build_octave(config, number, sample_rate) for number in range(config.octaves)
        ]
        self.step = 2 ** max(octave.halvings for octave in self.octaves)
        # The last frame may be centered on the sample after the last one.
        longest = 1 + max(octave.half << octave.halvings for octave in self.octaves)
        self.padding = math.ceil(longest / self.step) * self.step

    def waveform_to_power(self, waveform: tf.Tensor) -> tf.Tensor:
        """Compute the power of bands.

        Frames are centered as in `stft.waveform_to_stft`.

        Args:
          waveform: float32 `[batch, samples]`, longer than half of the lowest band's window.

        Returns:
          float32 `[batch, frames, bands]`, bands ascending. Power is differentiable at zero, unlike
          magnitude.

        Raises:
          ConfigError: if the waveform is too short to be padded by reflection.
        """
        static = waveform.shape[1]
        samples = tf.shape(waveform)[1] if static is None else static
        after = self.padding + -samples % self.step
        if static is not None and static <= after:
            raise ConfigError(
                f"a waveform of {static} samples is too short for min_hz={self.config.min_hz:g} "
                f"with bands_per_octave={self.config.bands_per_octave}; use more than {after} "
                "samples, a higher min_hz or fewer bands"
            )
        padded = tf.pad(waveform, [[0, 0], [self.padding, after]], mode="REFLECT")
        length = samples + self.padding + after
        spectrum = tf.signal.rfft(padded)
        powers = []
        for octave in self.octaves:
            reduced = _downsample(padded, spectrum, length, octave.halvings)
            powers.append(self._octave_power(reduced, samples, octave))
        return tf.concat(powers, axis=-1)

    def _octave_power(self, waveform: tf.Tensor, samples: int, octave: Octave) -> tf.Tensor:
        hop = self.config.hop_samples >> octave.halvings
        first = (self.padding >> octave.halvings) - octave.half
        last = first + (self.config.frames(samples) - 1) * hop
        segment = waveform[:, first : last + 2 * octave.half + 1, tf.newaxis]
        real, imaginary = tf.split(tf.nn.conv1d(segment, octave.kernels, hop, "VALID"), 2, axis=-1)
        return real**2 + imaginary**2


def _downsample(padded: tf.Tensor, spectrum: tf.Tensor, length: int, halvings: int) -> tf.Tensor:
    """Reduce the sample rate by truncating the spectrum: exact and without delay."""
    if not halvings:
        return padded
    shorter = length // 2**halvings
    return tf.signal.irfft(spectrum[:, : shorter // 2 + 1], [shorter]) / 2**halvings


def _build_octave(config: ConstantQSpec, number: int, sample_rate: int) -> Octave:
    """Build the kernels of an octave, numbered from the lowest, at a rate that divides the hop."""
    edge_hz = config.min_hz * 2 ** (number + 1)
    by_rate = math.floor(math.log2(sample_rate / 2 / edge_hz / _HEADROOM))
    by_hop = (config.hop_samples & -config.hop_samples).bit_length() - 1  # number of factors of two
    halvings = max(0, min(by_rate, by_hop))
    rate = sample_rate / 2**halvings
    steps = np.arange(config.bands_per_octave) / config.bands_per_octave
    frequencies_hz = config.min_hz * 2 ** (number + steps)
    lengths = config.quality * rate / frequencies_hz
    half = int(lengths[0] / 2)
    times = np.arange(-half, half + 1)[:, np.newaxis]
    windows = np.where(
        np.abs(times) < lengths / 2, 0.5 + 0.5 * np.cos(2 * np.pi * times / lengths), 0
    )
    windows *= REFERENCE_STFT.n_fft / 2 / windows.sum(axis=0)
    angles = 2 * np.pi * times * frequencies_hz / rate
    kernels = np.concatenate([windows * np.cos(angles), windows * np.sin(angles)], axis=1)
    return Octave(halvings, tf.constant(kernels[:, np.newaxis], tf.float32))


def _check_range(config: ConstantQSpec, sample_rate: int) -> None:
    """Check that all octaves end below half the sample rate, so that no band is aliased."""
    highest_hz = config.min_hz * 2**config.octaves
    if highest_hz > sample_rate / 2:
        fitting = math.floor(math.log2(sample_rate / 2 / config.min_hz))
        remedy = f"use octaves={fitting} or a lower min_hz" if fitting > 0 else "use a lower min_hz"
        raise ConfigError(
            f"octaves={config.octaves} from min_hz={config.min_hz:g} reach {highest_hz:g} Hz, "
            f"above {sample_rate / 2:g} Hz, half the sample rate; {remedy}"
        )
