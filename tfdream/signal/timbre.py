"""Conditional log mel spectra: the level of each band, given loudness, register and attack.

A spectrum averaged over a recording mixes the timbre of its instrument with the notes it plays: an
instrument has another spectrum when it plays softly, high, or starts a note. `SpectrumModel` fits
the levels of mel bands as a function of those features. The difference of two models, evaluated at
the features of one recording, is a change of timbre that follows its notes.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import tensorflow as tf
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from tfdream.config import StftSpec, TransferExperiment
from tfdream.errors import ConfigError
from tfdream.signal.graphs import compiled
from tfdream.signal.mel import MelBands, MelSpec
from tfdream.signal.onsets import onset_strength
from tfdream.signal.stft import stft_to_power, waveform_to_stft

Levels = NDArray[np.float32]
"""Levels of mel bands in dB, float32 `[frames, bands]`."""

_BANDS_AT_44100 = 80
_FFT_SECONDS = 2048 / 44100
FLOOR_DB = 90.0
"""Levels lower than this below the loudest band of a recording are raised to it."""
REFERENCE_DB = 25.0
"""Mean power of a recording after normalization."""
SILENCE = 1e-12
"""Largest power of a mel band in silence."""
_SOUNDING_DB = 55.0
"""Frames softer than this below the loudest frame count as silence."""

# Pitch salience: a harmonic sum over six partials for the semitones C2 to G#6.
_LOWEST_MIDI, _HIGHEST_MIDI = 36, 92
_PARTIALS, _PARTIAL_DECAY = 6, 0.85
_SALIENCE_SHARPNESS = 12
_ATTACK_DECAY = 0.85
_RIDGE = 0.03
_RMS_SECONDS = 0.02


class NoteFeatures(NamedTuple):
    """Loudness, register and attack of the notes of a recording, for each frame."""

    values: NDArray[np.float64]
    """`[frames, 3]`: loudness rank −0.5 to 0.5, register in octaves, attack."""
    weights: NDArray[np.float64]
    """`[frames]`: 1 where the recording sounds, 0 in silence."""


class MelAnalysis:
    """Log mel spectra of recordings at one sample rate, with bands of equal mel width at any rate.

    Args:
      sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        from librosa import hz_to_mel, mel_frequencies

        n_fft = max(64, 2 ** round(np.log2(_FFT_SECONDS * sample_rate)))
        share = float(hz_to_mel(sample_rate / 2) / hz_to_mel(22050))
        count = max(8, round(_BANDS_AT_44100 * share))
        self.sample_rate = sample_rate
        self.spec = StftSpec(n_fft=n_fft, hop_samples=n_fft // 2)
        self.bands = MelBands(MelSpec(stft=self.spec, bands=count), sample_rate)
        self.center_hz = mel_frequencies(count + 2, fmin=0.0, fmax=sample_rate / 2)[1:-1]

    def waveform_to_power(self, waveform: tf.Tensor) -> tf.Tensor:
        """Compute mel power in the graph: float32 `[batch, samples]` → `[batch, frames, bands]`."""
        power: tf.Tensor = self.bands.from_bins(
            stft_to_power(waveform_to_stft(waveform, self.spec))
        )
        return power

    def stream_to_power(self, blocks: Iterable[NDArray[Any]]) -> NDArray[Any]:
        """Compute the mel power float32 `[frames, bands]` of a stream of blocks `[samples, 1]`."""
        half, hop = self.spec.n_fft // 2, self.spec.hop_samples
        buffer = np.zeros(0, np.float32)
        parts: list[NDArray[Any]] = []
        skip = 0  # frames at the start of the buffer that lack their left context
        for block in blocks:
            buffer = np.concatenate([buffer, block[:, 0]])
            if len(buffer) < self._piece_samples:
                continue
            complete = (len(buffer) - half) // hop  # frames with their right context
            parts.append(self._power(buffer)[skip:complete])
            buffer, skip = buffer[complete * hop - half :], half // hop
        if len(buffer) <= self.spec.n_fft:
            buffer = np.pad(buffer, (0, self.spec.n_fft - len(buffer) + 1))
        parts.append(self._power(buffer)[skip:])
        return np.concatenate(parts)

    @property
    def frames_per_second(self) -> float:
        """Rate of the frames."""
        return self.sample_rate / self.spec.hop_samples

    @property
    def _piece_samples(self) -> int:
        return self.spec.hop_samples * 512

    def _power(self, samples: NDArray[Any]) -> NDArray[Any]:
        power: NDArray[Any] = self._compiled(tf.constant(samples[np.newaxis])).numpy()[0]
        return power

    @cached_property
    def _compiled(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return compiled(self.waveform_to_power, [tf.TensorSpec([1, None], tf.float32)])

    @cached_property
    def salience_matrix(self) -> NDArray[np.float64]:
        """Weights `[bands, semitones]` of a harmonic sum over mel bands.

        Partials above the center of the highest band are left out.
        """
        midi = np.arange(_LOWEST_MIDI, _HIGHEST_MIDI + 1)
        bands = len(self.center_hz)
        matrix = np.zeros((bands, len(midi)))
        for column, hertz in enumerate(440 * 2 ** ((midi - 69) / 12)):
            for partial in range(1, _PARTIALS + 1):
                if partial * hertz > self.center_hz[-1]:
                    break
                place = np.interp(partial * hertz, self.center_hz, np.arange(bands))
                low = int(place)
                weight = _PARTIAL_DECAY**partial
                matrix[low, column] += weight * (1 - place + low)
                matrix[min(low + 1, bands - 1), column] += weight * (place - low)
        return matrix

    def describe(self, levels: Levels) -> NoteFeatures:
        """Return loudness rank, register and attack of each frame."""
        order = np.argsort(np.argsort(_loudness_db(levels), kind="stable"))
        rank = order / max(1, len(levels) - 1)
        emphasis = 10 ** ((levels - levels.max(axis=1, keepdims=True)) / 40)
        salience = emphasis @ self.salience_matrix
        weights = (salience / salience.max(axis=1, keepdims=True)) ** _SALIENCE_SHARPNESS
        octaves = np.arange(salience.shape[1]) / 12
        register = gaussian_filter1d(weights @ octaves / weights.sum(axis=1), 1)
        attack = gaussian_filter1d(_decaying_peaks(_flux(levels)), 1)
        # The offsets center typical values, so that the ridge penalty is weak for all of them.
        values = np.stack([rank - 0.5, register - 2.2, attack - 0.4], axis=1)
        return NoteFeatures(values, sounding(levels).astype(float))


class SpectrumModel:
    """Ridge regression of mel levels on note features.

    Args:
      features: of a recording.
      levels: of the same frames.
    """

    def __init__(self, features: NoteFeatures, levels: Levels) -> None:
        basis, weights = _basis(features.values), features.weights
        penalty = _RIDGE * weights.sum() * np.diag([1e-3] + [1.0] * (basis.shape[1] - 1))
        weighted = (basis * weights[:, np.newaxis]).T
        self.coefficients = np.linalg.solve(weighted @ basis + penalty, weighted @ levels)

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the expected levels `[frames, bands]` for feature values `[frames, 3]`."""
        levels: NDArray[np.float64] = _basis(values) @ self.coefficients
        return levels


def check_frontend(config: TransferExperiment) -> None:
    """Check that a transfer network is trained on the levels that transfers apply it to.

    Raises:
      ConfigError: if its frontend has other frames, bands or range than `MelAnalysis`.
    """
    rate, frontend = config.prepare.sample_rate, config.frontend
    assert isinstance(frontend, MelSpec)  # validated by the experiment
    analysis = MelAnalysis(rate)
    settings = {
        "stft.n_fft": (frontend.stft.n_fft, analysis.spec.n_fft),
        "stft.hop_samples": (frontend.stft.hop_samples, analysis.spec.hop_samples),
        "bands": (frontend.bands, analysis.bands.count),
        "min_hz": (frontend.min_hz, 0),
        "max_hz": (frontend.max_hz or rate / 2, rate / 2),
        "top_db": (frontend.top_db, FLOOR_DB),
    }
    differences = [
        f"frontend.{name}={actual:g} instead of {required:g}"
        for name, (actual, required) in settings.items()
        if actual != required
    ]
    if differences:
        raise ConfigError(
            f"a transfer network at {rate} Hz needs the frames and bands of transfers, but has "
            f"{', '.join(differences)}"
        )


def is_silent(power: NDArray[Any]) -> bool:
    """Return whether mel power `[frames, bands]` is that of silence."""
    return bool(power.max(initial=0.0) <= SILENCE)


def normalize_power(power: NDArray[Any]) -> Levels:
    """Convert mel power `[frames, bands]`, not silent, to dB relative to its mean over frames."""
    peak = float(power.max())
    return to_reference(10 * np.log10(np.maximum(power, peak * 10 ** (-FLOOR_DB / 10))))


def to_reference(levels: NDArray[Any]) -> Levels:
    """Shift levels in dB, `[frames, bands]`, so that their mean power over frames is 25 dB."""
    mean_db = 10 * np.log10((10 ** (levels / 10)).sum(axis=1).mean())
    shifted: Levels = (levels - mean_db + REFERENCE_DB).astype(np.float32)
    return shifted


def sounding(levels: Levels) -> NDArray[np.bool_]:
    """Return which frames are not silence, `[frames]`."""
    loudness = _loudness_db(levels)
    is_sounding: NDArray[np.bool_] = loudness > loudness.max() - _SOUNDING_DB
    return is_sounding


def distort(waveform: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Add odd and even harmonics to waveforms float32 `[batch, samples]`, at their local level.

    The waveform is divided by its local RMS before the nonlinearity and multiplied by it after it:
    soft and loud parts are distorted alike.
    """
    width = max(1, round(_RMS_SECONDS * sample_rate))
    rms = tf.sqrt(_moving_average(_moving_average(waveform**2, width), width)) + 1e-6
    relative = waveform / rms
    odd = tf.clip_by_value(1.5 * relative, -1.0, 1.0)
    even = tf.abs(tf.clip_by_value(relative, -2.0, 2.0))
    return (odd + 0.7 * even) * rms


def _moving_average(values: tf.Tensor, width: int) -> tf.Tensor:
    """Average `[batch, samples]` over centered windows, which are shorter at the ends."""
    samples = tf.shape(values)[1]
    sums = tf.pad(tf.cumsum(tf.cast(values, tf.float64), axis=1), [[0, 0], [1, 0]])
    centers = tf.range(samples)
    starts = tf.maximum(centers - width // 2, 0)
    ends = tf.minimum(centers - width // 2 + width, samples)
    totals = tf.gather(sums, ends, axis=1) - tf.gather(sums, starts, axis=1)
    means = tf.maximum(totals, 0.0) / tf.cast(ends - starts, tf.float64)
    return tf.cast(means, values.dtype)


def spectral_envelope(levels: NDArray[Any], order: int) -> NDArray[Any]:
    """Keep the lowest `order` cepstral coefficients of each frame.

    >>> bool(np.allclose(spectral_envelope(np.ones((1, 8)), order=1), 1))
    True
    """
    coefficients = scipy.fft.dct(levels, axis=1, norm="ortho")
    coefficients[:, order:] = 0
    envelope: NDArray[Any] = scipy.fft.idct(coefficients, axis=1, norm="ortho")
    return envelope


def _loudness_db(levels: Levels) -> NDArray[Any]:
    loudness: NDArray[Any] = 10 * np.log10((10 ** (levels / 10)).sum(axis=1))
    return loudness


def _basis(values: NDArray[np.float64]) -> NDArray[np.float64]:
    rank, register, attack = values.T
    columns = [np.ones_like(rank), 2 * rank, 4 * rank**2, register, register**2 / 2, attack]
    return np.stack(columns, axis=1)


def _flux(levels: Levels) -> NDArray[np.float64]:
    """Return the onset strength relative to its 95th percentile, at most 1.5."""
    audible = np.maximum(levels, levels.max() - FLOOR_DB)
    onsets = onset_strength(audible)
    flux: NDArray[np.float64] = np.minimum(onsets / (np.percentile(onsets, 95) + 1e-6), 1.5)
    return flux


def _decaying_peaks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Follow peaks upward at once and downward with an exponential decay."""
    result = np.zeros_like(values)
    current = 0.0
    for index, value in enumerate(values):
        current = max(current * _ATTACK_DECAY, value)
        result[index] = current
    return result
