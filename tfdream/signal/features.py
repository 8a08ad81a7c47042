"""Hand-made features of a clip, computed by librosa from and to NumPy arrays.

This module does not import TensorFlow, and imports librosa on first use, so that worker processes
that call `compute` start quickly and use little memory.

Features do not depend on the clip's level: samples are scaled to a peak of 1 first.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from tfdream import audio
from tfdream.config import Config, Count, StftSpec

Floats = NDArray[np.float32]

# Number of mel-frequency cepstral coefficients: librosa's default; the document does not state it.
_MFCC = 20
_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_MEASURES = (
    *(f"chroma {name}" for name in _PITCH_CLASSES),
    *("centroid_hz", "bandwidth_hz", "rolloff_hz", "zero_crossing_rate"),
    *(f"mfcc {number}" for number in range(_MFCC)),
)
_STATISTICS = ("mean", "deviation")
# Approximate limit of columns of a running autocorrelogram: a page shows no more.
_COLUMNS = 300
_COLUMNS_PER_WINDOW = 10


class FeatureSpec(Config):
    """Parameters of the features of a clip."""

    kind: Literal["features", "autocorrelogram"]
    stft: StftSpec = StftSpec()
    lags: Count = 51
    """Number of lags of kind=autocorrelogram, in hops."""

    @model_validator(mode="after")
    def _has_lags(self) -> "FeatureSpec":
        if self.kind == "features" and self.lags != type(self).model_fields["lags"].default:
            raise ValueError("lags belong to kind=autocorrelogram")
        return self


def compute(config: FeatureSpec, sample_rate: int, samples: Floats) -> Floats:
    """Compute the features of a clip; a pool of processes can call this function.

    Args:
      config: kind and parameters of the features.
      sample_rate: in Hz.
      samples: float32 `[samples]`.

    Returns:
      float32 `[size(config)]`.

    >>> compute(FeatureSpec(kind="autocorrelogram", lags=3), 8000, np.zeros(4000, np.float32))
    array([1., 0., 0.], dtype=float32)
    """
    if config.kind == "autocorrelogram":
        return autocorrelogram(samples, sample_rate, config.lags, config.stft)
    return clip_features(samples, sample_rate, config.stft)


def size(config: FeatureSpec) -> int:
    """Return the number of features of a clip, which does not depend on its length.

    >>> size(FeatureSpec(kind="features")), size(FeatureSpec(kind="autocorrelogram"))
    (72, 51)
    """
    return config.lags if config.kind == "autocorrelogram" else len(feature_names())


def feature_names() -> list[str]:
    """Return the names of the values of `clip_features`.

    >>> feature_names()[:2], feature_names()[-1]
    (['chroma C mean', 'chroma C# mean'], 'mfcc 19 deviation')
    """
    return [f"{measure} {statistic}" for statistic in _STATISTICS for measure in _MEASURES]


def clip_features(samples: Floats, sample_rate: int, spec: StftSpec | None = None) -> Floats:
    """Compute mean and standard deviation over frames of the features in `feature_names`.

    The document names the features, "compiled together to represent the data points", but not how
    frames are summarized. These two statistics are defined for clips of any length.

    Args:
      samples: float32 `[samples]`, at least one.
      sample_rate: in Hz.
      spec: window and hop of the frames; by default librosa's (2048, 512).

    Returns:
      float32 `[72]`: the means of 36 measures, then their deviations. For silence, all measures
      are 0 except the first MFCC, which is finite.

    Source: "Music generation using style transfer", the classifier on features.
    """
    import librosa

    spec = spec or StftSpec()
    samples = _prepare(samples, spec)
    magnitude = np.abs(librosa.stft(samples, n_fft=spec.n_fft, hop_length=spec.hop_samples))
    power = magnitude**2
    feature, rate = librosa.feature, sample_rate
    mel = librosa.power_to_db(feature.melspectrogram(S=power, sr=rate))
    measures = [
        feature.chroma_stft(S=power, sr=rate, tuning=_tuning(power, rate)),
        feature.spectral_centroid(S=magnitude, sr=rate),
        feature.spectral_bandwidth(S=magnitude, sr=rate),
        feature.spectral_rolloff(S=magnitude, sr=rate),
        feature.zero_crossing_rate(samples, frame_length=spec.n_fft, hop_length=spec.hop_samples),
        feature.mfcc(S=mel, n_mfcc=_MFCC),
    ]
    frames = np.concatenate(measures)
    statistics = np.concatenate([frames.mean(axis=1), frames.std(axis=1)])
    return np.asarray(statistics, np.float32)


def autocorrelogram(
    samples: Floats, sample_rate: int, lags: int = 51, spec: StftSpec | None = None
) -> Floats:
    """Compute the autocorrelation of a clip's onset strength: its rhythm, without its timbre.

    Args:
      samples: float32 `[samples]`, at least one.
      sample_rate: in Hz.
      lags: number of lags, in hops. The default is derived: a convolution of width 4 maps 51 lags
        to 48, which with 32 filters are the 1536 inputs of the document's dense layer. At 22 050 Hz
        they extend to 1.16 s.
      spec: window and hop of the onset envelope; by default librosa's (2048, 512).

    Returns:
      float32 `[lags]`: the autocorrelation divided by its value at lag 0. Lag 0 is 1, for silence
      too; lags beyond the clip are 0.

    Source: "Music generation using style transfer", the classifier on autocorrelograms.
    """
    import librosa
    from librosa.onset import onset_strength

    spec = spec or StftSpec()
    onsets = onset_strength(
        y=_prepare(samples, spec), sr=sample_rate, n_fft=spec.n_fft, hop_length=spec.hop_samples
    )
    correlation = librosa.autocorrelate(onsets.astype(np.float64), max_size=lags)
    correlation = np.pad(correlation, (0, lags - len(correlation)))
    if correlation[0] <= 0:  # without onsets, the result is that of a single onset
        correlation = np.eye(1, lags)[0]
    return np.asarray(correlation / correlation[0], np.float32)


def running_autocorrelogram(
    path: str | Path, sample_rate: int, config: FeatureSpec, window_seconds: float
) -> tuple[NDArray[np.float64], Floats]:
    """Compute autocorrelograms of overlapping windows of a file's mid signal.

    Args:
      path: audio file of any length.
      sample_rate: rate in Hz that the file is resampled to.
      config: lags, and window and hop of the onset envelope.
      window_seconds: length of a window; a shorter file is one window.

    Returns:
      Edges of the columns in seconds, float64 `[columns + 1]`, each column in the middle of its
      window; and the autocorrelograms, float32 `[lags, columns]`.

    Raises:
      AudioError: if the file cannot be read.
    """
    window = max(1, round(window_seconds * sample_rate))
    with audio.Reader(Path(path)) as reader:
        total = reader.info.estimated_samples / reader.info.sample_rate * sample_rate
        hop = max(1, round(max(window / _COLUMNS_PER_WINDOW, total / _COLUMNS)))
        columns = []
        pending = np.zeros(0, np.float32)
        for piece in audio.rechunk(reader.mid(sample_rate), hop):
            pending = np.concatenate([pending, piece[:, 0]])
            if len(pending) >= window:
                columns.append(
                    autocorrelogram(pending[:window], sample_rate, config.lags, config.stft)
                )
                pending = pending[hop:]
    if not columns:
        pending = pending if len(pending) else np.zeros(1, np.float32)  # empty after resampling
        columns = [autocorrelogram(pending, sample_rate, config.lags, config.stft)]
        return np.array([0, len(pending) / sample_rate]), np.stack(columns, axis=1)
    edges = np.arange(len(columns) + 1) * hop + (window - hop) / 2
    return edges / sample_rate, np.stack(columns, axis=1)


def _prepare(samples: Floats, spec: StftSpec) -> Floats:
    """Scale samples to a peak of 1, and pad them with zeros to the length of a window."""
    samples = np.asarray(samples, np.float32)
    peak = np.abs(samples).max()
    if peak > 0:
        samples = samples / peak
    return np.pad(samples, (0, max(0, spec.n_fft - len(samples))))


def _tuning(power: Floats, sample_rate: int) -> float:
    """Return the deviation of the clip's tuning from A = 440 Hz in semitones; 0 without pitches.

    This is `librosa.estimate_tuning` without its warning about clips that have no pitch.
    """
    import librosa

    pitch, strength = librosa.piptrack(S=power, sr=sample_rate)
    pitched = pitch > 0
    if not pitched.any():
        return 0.0
    strong = pitched & (strength >= np.median(strength[pitched]))
    return float(librosa.pitch_tuning(pitch[strong]))
