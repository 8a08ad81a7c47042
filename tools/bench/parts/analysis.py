"""Frontends, compared with librosa."""

from pathlib import Path

import librosa
import numpy as np
import tensorflow as tf
from timing import Cost, compare

from tfdream import config
from tfdream.signal import frontends
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig

_BATCH = 16


def measure(folder: Path) -> list[Cost]:
    """Measure the frontend on a batch of clips, and the same spectra by librosa."""
    return [against("lil_data", _level), against("recommended", _mel)]


def against(name: str, theirs) -> Cost:
    settings = config.load(name, config.Experiment)
    rate, samples = settings.prepare.sample_rate, settings.input_samples
    frontend = frontends.build(settings.frontend, rate)
    noise = np.random.default_rng(0).standard_normal((_BATCH, samples)).astype(np.float32)
    waveforms = tf.constant(noise)
    graph = tf.function(frontend)
    return compare(
        f"`{name}` images",
        lambda: graph(waveforms).numpy(),
        "librosa, without resizing",
        lambda: theirs(noise, rate, settings.frontend),
        audio_seconds=_BATCH * samples / rate,
    )


def _level(noise: np.ndarray, rate: int, frontend: SpectrogramFrontendConfig) -> np.ndarray:
    spec = frontend.stft
    spectra = librosa.stft(noise, n_fft=spec.n_fft, hop_length=spec.hop_samples)
    return librosa.amplitude_to_db(np.abs(spectra), ref=np.max, top_db=frontend.top_db)


def _mel(noise: np.ndarray, rate: int, frontend: MelFrontendConfig) -> np.ndarray:
    spec = frontend.stft
    bands = librosa.feature.melspectrogram(
        y=noise, sr=rate, n_fft=spec.n_fft, hop_length=spec.hop_samples, n_mels=frontend.bands
    )
    return librosa.power_to_db(bands, ref=np.max, top_db=frontend.top_db)
