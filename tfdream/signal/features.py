"""Hand-made features of a clip, by librosa: NumPy in, NumPy out.

Without TensorFlow, and with librosa imported only where it is called, so that a process which
computes features (see `compute`) starts quickly and stays small.

Both features are of the clip's shape, not of its level: samples are scaled to a peak of 1 first.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import model_validator

from tfdream import audio
from tfdream.config import Config, Count, StftSpec

# Mel-frequency cepstral coefficients: librosa's own number, which the document leaves out.
_MFCC = 20
_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_MEASURES = (
    *(f"chroma {name}" for name in _PITCH_CLASSES),
    *("centroid_hz", "bandwidth_hz", "rolloff_hz", "zero_crossing_rate"),
    *(f"mfcc {number}" for number in range(_MFCC)),
)
_STATISTICS = ("mean", "deviation")
# Of a running autocorrelogram, about: a page shows no more.
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


def compute(config: FeatureSpec, sample_rate: int, samples: np.ndarray) -> np.ndarray:
    """What a configuration names, of one clip: a function that a pool of processes can call.

    Args:
      config: of the frontend.
      sample_rate: in Hz.
      samples: float32 `[samples]`.

    Returns:
      float32 `[size(config)]`.
    """
    if config.kind == "autocorrelogram":
        return autocorrelogram(samples, sample_rate, config.lags, config.stft)
    return clip_features(samples, sample_rate, config.stft)


def size(config: FeatureSpec) -> int:
    """How many numbers `compute` gives, whatever the length of the clip."""
    return config.lags if config.kind == "autocorrelogram" else len(feature_names())


def feature_names() -> list[str]:
    """What each number of `clip_features` is, such as "mfcc 3 mean"."""
    return [f"{measure} {statistic}" for statistic in _STATISTICS for measure in _MEASURES]


def clip_features(
    samples: np.ndarray, sample_rate: int, spec: StftSpec | None = None
) -> np.ndarray:
    """Mean and standard deviation over the frames of what `feature_names` lists.

    The document names the features, "compiled together to represent the data points", and not how
    frames become one point. These two statistics are what a clip of any length can be told by.

    Args:
      samples: float32 `[samples]`, at least one.
      sample_rate: in Hz.
      spec: window and hop of the frames; librosa's own (2048, 512) without.

    Returns:
      float32 `[72]`: the means of all 36 measures, then their deviations. Of silence all measures
      are 0, but for the first MFCC, which is finite.

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
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1)]).astype(np.float32)


def autocorrelogram(
    samples: np.ndarray, sample_rate: int, lags: int = 51, spec: StftSpec | None = None
) -> np.ndarray:
    """How much a clip's onsets repeat after 0, 1, 2, … hops: its beat, without its sound.

    Args:
      samples: float32 `[samples]`, at least one.
      sample_rate: in Hz.
      lags: how many. *Derived*: a convolution of width 4 makes 48 of 51, which with 32 filters are
        the 1536 numbers that the document's dense layer takes. At 22 050 Hz they reach 1.16 s.
      spec: window and hop of the onset envelope; librosa's own (2048, 512) without.

    Returns:
      float32 `[lags]`: the autocorrelation of the onset-strength envelope, over that of lag 0,
      which hence is 1, of silence too. Lags beyond the clip are 0.

    Source: "Music generation using style transfer", the classifier on autocorrelograms.
    """
    import librosa
    from librosa.onset import onset_strength

    spec = spec or StftSpec()
    onsets = onset_strength(
        y=_prepare(samples, spec), sr=sample_rate, n_fft=spec.n_fft, hop_length=spec.hop_samples
    )
    found = librosa.autocorrelate(onsets.astype(np.float64), max_size=lags)
    found = np.pad(found, (0, lags - len(found)))
    if found[0] <= 0:  # no onset at all: alike to nothing but itself, as a single one is
        return np.eye(1, lags, dtype=np.float32)[0]
    return (found / found[0]).astype(np.float32)


def running_autocorrelogram(
    path: Path, sample_rate: int, config: FeatureSpec, window_seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """The autocorrelograms of a recording's mid signal in its course, of windows that overlap.

    Args:
      path: any audio file, of any length.
      sample_rate: that it is heard at, in Hz.
      config: lags, and window and hop of the onset envelope.
      window_seconds: what one of them is of; all of a file that is shorter.

    Returns:
      Where columns begin and end in seconds, float64 `[columns + 1]`, each in the middle of its
      window; and float32 `[lags, columns]`.

    Raises:
      AudioError: if the file cannot be read.
    """
    window = max(1, round(window_seconds * sample_rate))
    with audio.Reader(path) as reader:
        whole = reader.info.samples / reader.info.sample_rate * sample_rate
        hop = max(1, round(max(window / _COLUMNS_PER_WINDOW, whole / _COLUMNS)))
        found = []
        heard = np.zeros(0, np.float32)
        for piece in audio.rechunk(reader.mid(sample_rate), hop):
            heard = np.concatenate([heard, piece[:, 0]])
            if len(heard) >= window:
                found.append(autocorrelogram(heard[:window], sample_rate, config.lags, config.stft))
                heard = heard[hop:]
    if not found:
        heard = heard if len(heard) else np.zeros(1, np.float32)  # too short for its new rate
        found = [autocorrelogram(heard, sample_rate, config.lags, config.stft)]
        return np.array([0, len(heard) / sample_rate]), np.stack(found, axis=1)
    edges = np.arange(len(found) + 1) * hop + (window - hop) / 2
    return edges / sample_rate, np.stack(found, axis=1)


def _prepare(samples: np.ndarray, spec: StftSpec) -> np.ndarray:
    """Scaled to a peak of 1, and with silence behind it if it is shorter than a window."""
    samples = np.asarray(samples, np.float32)
    peak = np.abs(samples).max()
    if peak > 0:
        samples = samples / peak
    return np.pad(samples, (0, max(0, spec.n_fft - len(samples))))


def _tuning(power: np.ndarray, sample_rate: int) -> float:
    """How far the clip's A is from 440 Hz, in semitones; 0 where nothing has a pitch.

    That is `librosa.estimate_tuning`, which warns of the latter.
    """
    import librosa

    pitch, strength = librosa.piptrack(S=power, sr=sample_rate)
    voiced = pitch > 0
    if not voiced.any():
        return 0.0
    strong = voiced & (strength >= np.median(strength[voiced]))
    return float(librosa.pitch_tuning(pitch[strong]))
