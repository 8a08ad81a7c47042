"""Methods of transfer: baselines that need no network, and the recipes of the package."""

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from tfdream import audio
from tfdream.audio import Samples
from transfer_pairs.pairs import Pair
from transfer_pairs.scores import SAMPLE_RATE

Method = Callable[[Pair], Samples]
FloatArray = NDArray[np.floating[Any]]
GainFn = Callable[[FloatArray, FloatArray], FloatArray]
"""Maps levels of content and style `[frames, bands]` in dB to gains that broadcast to the first."""

_N_FFT, _HOP, _BANDS = 2048, 512, 80
_RANGE_DB = 90
_SOUNDING_DB = 50
_GAIN_RANGE_DB = (-40.0, 30.0)
_ENVELOPE_ORDER = 20
_RANK_WIDTH = 1 / 24


def equalizer(content: FloatArray, style: FloatArray) -> FloatArray:
    """Match the mean power of each band."""
    gain_db: FloatArray = _mean_power_db(style) - _mean_power_db(content)
    return gain_db


def log_equalizer(strength: float) -> GainFn:
    """Match the mean level in dB of each band over the frames within 50 dB of the loudest band."""

    def gains(content: FloatArray, style: FloatArray) -> FloatArray:
        return strength * (_mean_level_db(style) - _mean_level_db(content))

    return gains


def envelope_mapping(strength: float) -> GainFn:
    """Match the spectral envelope of each frame to that of frames of the style of the same rank.

    Frames are ranked by loudness. Envelopes are the lowest cepstral coefficients, and the style's
    are averaged over 1/24 of the ranks.
    """

    def gains(content: FloatArray, style: FloatArray) -> FloatArray:
        ranks = np.argsort(np.argsort(_loudness(content))) / (len(content) - 1)
        width = max(1, round(_RANK_WIDTH * len(style)))
        sorted_style = _envelope(style)[np.argsort(_loudness(style))]
        sorted_style = uniform_filter1d(sorted_style, width, axis=0, mode="nearest")
        nearest = np.round(ranks * (len(style) - 1)).astype(int)
        gain_db = strength * (sorted_style[nearest] - _envelope(content))
        smoothed: FloatArray = gaussian_filter1d(gain_db, 1.0, axis=0)
        return smoothed

    return gains


def with_gains(gains: GainFn) -> Method:
    """Return a method that applies gains per mel band and frame to the content."""

    def run(pair: Pair) -> Samples:
        gain_db = gains(levels_db(pair.content), levels_db(pair.style))
        bins_db = np.clip(gain_db, *_GAIN_RANGE_DB).astype(np.float32) @ _bands_to_bins()
        changed = _stft(pair.content) * 10 ** (bins_db / 20)
        output: Samples = librosa.istft(changed.T, hop_length=_HOP, length=len(pair.content))
        return output

    return run


RECIPE_HELP = "NAME[,KEY=VALUE…] of a packaged recipe, or several, joined by +. Repeatable."
TRANSLATION = "translate/recommended"
"""The recipe of translations."""

BASE = "equalizer"
"""The baseline to which the table relates the others."""
BASELINES: dict[str, Method] = {
    "unchanged content": lambda pair: pair.content,
    "copied style": lambda pair: pair.style,
    "target itself": lambda pair: pair.target,
    BASE: with_gains(equalizer),
    "log equalizer × 0.8": with_gains(log_equalizer(0.8)),
    "envelope mapping × 0.8": with_gains(envelope_mapping(0.8)),
}


def recipe(name: str) -> Method:
    """Return a method that runs packaged recipes as `tfdream transfer` does.

    Args:
      name: such as "transfer/timbre", with settings "transfer/timbre,style_strength=0.5";
        "transfer/timbre+transfer/texture" applies the second recipe to the output of the first,
        with the same style.

    Raises:
      ConfigError: if there is no such recipe or setting.
    """
    from tfdream.config.transfers import load_transfer
    from tfdream.synthesis.transfer import transfer

    commands = []
    for each in name.split("+"):
        packaged, *overrides = each.split(",")
        commands.append(partial(transfer, config=load_transfer(packaged, overrides)))

    def run(pair: Pair) -> Samples:
        output = pair.content
        for command in commands:
            output = through_files(command, output, pair.style)
        return output

    return run


def translations(folder: Path, name: str) -> dict[str, Callable[[Samples], Samples]]:
    """Return what translates to each genre of a run, as `tfdream translate` does.

    Args:
      folder: run of a translation.
      name: name or path of a recipe.

    Raises:
      ConfigError, ModelError: if there is no such recipe, or it is no such run.
    """
    from tfdream import config
    from tfdream.runs import TranslationRun
    from tfdream.synthesis.translate import Translation

    run = TranslationRun.open(folder)
    settings = config.load(name, config.TranslateConfig)
    return {
        label: partial(through_files, Translation(run, settings, label)) for label in run.labels
    }


def through_files(command: Callable[..., Any], *waves: Samples) -> Samples:
    """Return the output of a command that receives the paths of its inputs and of its output."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"input{number}.wav" for number in range(len(waves))]
        for path, wave in zip(paths, waves, strict=True):
            soundfile.write(path, wave, SAMPLE_RATE, "FLOAT")
        output = Path(folder) / "output.wav"
        command(*paths, output)
        samples: Samples = audio.read(output)[0][:, 0]
    return samples


def _stft(wave: Samples) -> NDArray[np.complexfloating[Any, Any]]:
    stft: NDArray[np.complexfloating[Any, Any]] = librosa.stft(wave, n_fft=_N_FFT, hop_length=_HOP)
    return stft.T


def levels_db(wave: Samples) -> FloatArray:
    """Return the mean power of the bins of each band, `[frames, bands]`, at most 90 dB down."""
    bands = _mel_bands()
    mean = (np.abs(_stft(wave)) ** 2) @ bands / bands.sum(axis=0)
    return _db(np.maximum(mean, mean.max() * 10 ** (-_RANGE_DB / 10)))


@cache
def _mel_bands() -> FloatArray:
    bands: FloatArray = librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=_BANDS, fmin=0, fmax=SAMPLE_RATE / 2, norm=None
    ).T
    return bands


@cache
def _bands_to_bins() -> FloatArray:
    """Return the linear interpolation of bands at bins on the mel scale, `[bands, bins]`."""
    centers = librosa.mel_frequencies(_BANDS + 2, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1]
    bins = librosa.hz_to_mel(librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=_N_FFT))
    rows = [np.interp(bins, librosa.hz_to_mel(centers), row) for row in np.eye(_BANDS)]
    return np.stack(rows).astype(np.float32)


def _db(power: NDArray[Any]) -> FloatArray:
    level_db: FloatArray = 10 * np.log10(power)
    return level_db


def _mean_power_db(level_db: FloatArray) -> FloatArray:
    return _db((10 ** (level_db / 10)).mean(axis=0))


def _mean_level_db(level_db: FloatArray) -> FloatArray:
    sounding = level_db.max(axis=1) > level_db.max() - _SOUNDING_DB
    mean: FloatArray = level_db[sounding].mean(axis=0)
    return mean


def _loudness(level_db: FloatArray) -> FloatArray:
    return _db((10 ** (level_db / 10)).sum(axis=1))


def _envelope(level_db: FloatArray) -> FloatArray:
    cepstrum = dct(level_db, axis=1, norm="ortho")
    cepstrum[:, _ENVELOPE_ORDER:] = 0
    envelope: FloatArray = idct(cepstrum, axis=1, norm="ortho")
    return envelope
