"""Transfer of timbre: gains that follow the notes of the content, without a network.

The style's mel spectra are modeled as a function of loudness, register and attack, and so are the
content's. At every frame of the content, the difference of the two models is applied as a gain that
is smooth over frequency: the notes stay, their timbre changes.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from tfdream import audio
from tfdream.config import StftSpec
from tfdream.config.recipes import TimbreConfig
from tfdream.errors import AudioError
from tfdream.signal.scales import db_to_amplitude
from tfdream.signal.stft import stft_to_power, stft_to_waveform, waveform_to_stft
from tfdream.signal.timbre import (
    MelAnalysis,
    SpectrumModel,
    distort,
    is_silent,
    normalize_power,
    spectral_envelope,
)
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import Goal, OnStep
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles

_TILE_SECONDS = 10.0
_ENVELOPE_ORDER = 20
# Percentiles of the style's register to which the content's is limited: models do not extrapolate.
_REGISTER_PERCENTILES = (5, 95)
_SMOOTHING_FRAMES = 0.5
_GAIN_ORDER = 24
"""Cepstral coefficients of the gains: they are smooth over frequency, so that notes stay."""
_GAIN_RANGE_DB = (-40.0, 30.0)
# Bands this far below the content's loudest are empty, with a transition.
_EMPTY_BELOW_DB, _TRANSITION_DB = 50.0, 10.0
# Sound below this level is not added; distortion is amplified by at most so much.
_INAUDIBLE_DB, _MAX_FILL_DB = 85.0, 40.0
_VALID_SHARE = 0.9
"""Bands above this share of the style's Nyquist frequency use the gain of the highest valid one."""


class StyleModel(NamedTuple):
    """The model of a style at one sample rate, and the range of its register in octaves."""

    spectrum: SpectrumModel
    lowest: float
    highest: float


class TimbreStyle:
    """A file with a timbre; it is analyzed once for all contents of the same sample rate.

    Args:
      path: any audio file; all of it is analyzed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._models: dict[int, StyleModel] = {}

    @cached_property
    def sample_rate(self) -> int:
        """Sample rate of the file in Hz."""
        return audio.info(self.path).sample_rate

    def model(self, analysis: MelAnalysis) -> StyleModel:
        """Return the model at the sample rate of an analysis.

        Raises:
          AudioError: if the file cannot be read or is silent.
        """
        if analysis.sample_rate not in self._models:
            levels = normalize_power(_read_power(analysis, self.path, "style")[0])
            notes = analysis.describe(levels)
            register = notes.values[notes.weights > 0, 1]
            lowest, highest = np.percentile(register, _REGISTER_PERCENTILES)
            spectrum = SpectrumModel(notes, levels)
            self._models[analysis.sample_rate] = StyleModel(spectrum, lowest, highest)
        return self._models[analysis.sample_rate]


class TimbreProcessor:
    """Gives a content the timbre of a style; a `rendering.process.TileProcessor`.

    Args:
      content_path: the file to change; all of it is analyzed.
      style: a file with the timbre.
      config: strength, canvas and tiles.
      start_seconds: start of the processed part in the content.

    Raises:
      AudioError: if a file cannot be read or is silent.

    Source: conditional spectral envelopes after Caetano and Rodet, "Musical instrument sound
    morphing guided by perceptually motivated features"; the regression is our own.
    """

    def __init__(
        self,
        content_path: Path,
        style: TimbreStyle,
        config: TimbreConfig,
        start_seconds: float = 0.0,
    ) -> None:
        self.config = config
        self.sample_rate = audio.info(content_path).sample_rate
        self.start = round(start_seconds * self.sample_rate)
        self.analysis = MelAnalysis(self.sample_rate)
        self._read_models(content_path, style)
        fft = self.analysis.spec.n_fft
        self.stft = StftSpec(n_fft=fft, hop_samples=fft // 4)
        self.mask = Mask.build(config.mask, self.sample_rate)

    @cached_property
    def grid(self) -> TileGrid:
        """Positions of the tiles."""
        longest = round(_TILE_SECONDS * self.sample_rate)
        samples = max(self.analysis.spec.n_fft, min(longest, self.content_samples))
        grid = TileGrid.build(self.config.tiles, longest, self.sample_rate)
        return replace(grid, samples=samples) if samples < grid.samples else grid

    @property
    def goal(self) -> Goal:
        """The distance to the style falls; single tiles are kept whatever their distance."""
        return Goal("style_loss", rises=False, reverts=False)

    @property
    def steps(self) -> int:
        """Number of steps for each batch of tiles."""
        return 1

    def process(
        self, tiles: Tiles, on_step: OnStep = lambda value, render: None, apply: bool = True
    ) -> tuple[NDArray[Any], Measures]:
        """Change the timbre of tiles; see `rendering.process.TileProcessor`."""
        original = tiles.waveforms
        before = self._losses(tiles, original, original)
        if not apply:
            return tiles.channels, _suffixed(before, "before") | _suffixed(before, "after")
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        gains = tf.constant(self._frames(self.gain_db, tiles, self.stft.hop_samples))
        channels: NDArray[Any] = self._compiled(tf.constant(tiles.channels), gains, seconds).numpy()
        after = self._losses(tiles, original, channels.mean(axis=2))
        on_step(math.nan, lambda: channels)
        return channels, _suffixed(before, "before") | _suffixed(after, "after")

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure the losses of the written file."""
        return self._losses(original, original.waveforms, changed.waveforms)

    def _read_models(self, content_path: Path, style: TimbreStyle) -> None:
        """Analyze both files, and compute the gains of every frame of the content."""
        power, self.content_samples = _read_power(self.analysis, content_path, "content")
        self.peak_db = float(10 * np.log10(power.max()))
        content = normalize_power(power)
        content_notes = self.analysis.describe(content)
        style_model = style.model(self.analysis)
        values = content_notes.values.copy()
        values[:, 1] = np.clip(values[:, 1], style_model.lowest, style_model.highest)
        expected_style = style_model.spectrum.predict(values)
        model = SpectrumModel(content_notes, content)
        expected_content = model.predict(content_notes.values)
        residual = spectral_envelope(content - expected_content, _ENVELOPE_ORDER)
        gain_db = expected_style - expected_content - self.config.residual_share * residual
        gain_db = spectral_envelope(gain_db, _GAIN_ORDER)
        gain_db = gaussian_filter1d(gain_db, _SMOOTHING_FRAMES, axis=0)
        gain_db = self._extend(gain_db, style.sample_rate)
        self.gain_db = (self.config.style_strength * gain_db).astype(np.float32)
        self.expected_style = expected_style.astype(np.float32)
        self.weights = content_notes.weights.astype(np.float32)

    def _extend(self, gain_db: NDArray[Any], style_rate: int) -> NDArray[Any]:
        """Replace the gains of bands above the style's range by that of its highest band."""
        valid = self.analysis.center_hz <= _VALID_SHARE * style_rate / 2
        highest = max(0, int(valid.sum()) - 1)
        return gain_db[:, np.minimum(np.arange(gain_db.shape[1]), highest)]

    def _frames(self, values: NDArray[Any], tiles: Tiles, hop: int) -> NDArray[np.float32]:
        """Interpolate values `[frames, …]` of the content at the frames of tiles."""
        places = np.clip(self._places(tiles, hop), 0, len(values) - 1)
        low = np.minimum(places.astype(int), max(0, len(values) - 2))
        share = (places - low).reshape(*places.shape, *[1] * (values.ndim - 1))
        high = np.minimum(low + 1, len(values) - 1)
        result: NDArray[np.float32] = (values[low] * (1 - share) + values[high] * share).astype(
            np.float32
        )
        return result

    def _places(self, tiles: Tiles, hop: int) -> NDArray[np.float64]:
        """Return the positions of the frames of tiles in frames of the content's analysis."""
        count = 1 + tiles.channels.shape[1] // hop
        samples = self.start + tiles.starts[:, np.newaxis] + hop * np.arange(count)
        places: NDArray[np.float64] = samples / self.analysis.spec.hop_samples
        return places

    @cached_property
    def _band_to_bin(self) -> NDArray[np.float32]:
        """Interpolation of bands to bins, linear on the mel scale: `[bands, bins]`."""
        from librosa import fft_frequencies, hz_to_mel

        bins = hz_to_mel(fft_frequencies(sr=self.sample_rate, n_fft=self.stft.n_fft))
        centers = hz_to_mel(self.analysis.center_hz)
        rows = [np.interp(bins, centers, row) for row in np.eye(len(centers))]
        return np.stack(rows).astype(np.float32)

    @cached_property
    def _compiled(self) -> Callable[..., tf.Tensor]:
        compiled: Callable[..., tf.Tensor] = tf.function(
            self._render, reduce_retracing=True, autograph=False
        )
        return compiled

    def _render(self, channels: tf.Tensor, gain_db: tf.Tensor, seconds: tf.Tensor) -> tf.Tensor:
        """Apply gains, and add sound where the content has none.

        Args:
          channels: float32 `[batch, samples, channels]`.
          gain_db: gains of the bands, `[batch, frames, bands]`.
          seconds: start of each tile, for the mask.

        Returns:
          The changed channels; all of them get the same gains.
        """
        mid = tf.reduce_mean(channels, axis=2)
        stft = waveform_to_stft(mid, self.stft)
        fill, gain_db = self._fill_empty_bands(self._level_db(stft), mid, gain_db)
        equalizer = db_to_amplitude(tf.clip_by_value(gain_db, *_GAIN_RANGE_DB) @ self._band_to_bin)
        weight: tf.Tensor | float = self.config.mix
        if self.mask is not None:
            weight *= self.mask(stft, self.stft, seconds)
        changed = []
        for channel in tf.unstack(channels, axis=-1):
            original = waveform_to_stft(channel, self.stft)
            change = tf.cast(weight * (equalizer - 1), tf.complex64) * original
            if fill is not None:
                added = waveform_to_stft(distort(channel, self.sample_rate), self.stft)
                change += tf.cast(weight * (fill @ self._band_to_bin), tf.complex64) * added
            samples = channels.shape[1]
            changed.append(stft_to_waveform(original + change, self.stft, samples))
        return tf.stack(changed, axis=-1)

    def _fill_empty_bands(
        self, level_db: tf.Tensor, mid: tf.Tensor, gain_db: tf.Tensor
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        """Reduce the amplification of nearly empty bands, which is noise, or replace it by sound.

        Returns:
          Factors of the distorted content's bands `[batch, frames, bands]`, or None, and the
          remaining gains of the content.
        """
        emptiness = (self.peak_db - _EMPTY_BELOW_DB - level_db) / _TRANSITION_DB
        share = tf.where(gain_db > 0, tf.clip_by_value(emptiness, 0.0, 1.0), 0.0)
        if self.config.added_db is None:
            reduction = tf.minimum(tf.maximum(gain_db, 0.0), self.config.noise_reduction_db)
            return None, gain_db - share * reduction
        target_db = level_db + gain_db + self.config.added_db
        source_db = self._level_db(waveform_to_stft(distort(mid, self.sample_rate), self.stft))
        fill_db = target_db - source_db + 10 * _log10(tf.maximum(share, 1e-3))
        audible = (share > 0.01) & (target_db > self.peak_db - _INAUDIBLE_DB)
        fill = tf.where(audible, db_to_amplitude(tf.minimum(fill_db, _MAX_FILL_DB)), 0.0)
        return fill, gain_db - share * tf.clip_by_value(gain_db, 0.0, _GAIN_RANGE_DB[1])

    def _level_db(self, stft: tf.Tensor) -> tf.Tensor:
        """Return the levels of mel bands in dB, `[batch, frames, bands]`."""
        power = self.analysis.bands.from_bins(stft_to_power(stft))
        return 10 * _log10(tf.maximum(power, 1e-12))

    def _losses(
        self, tiles: Tiles, original: NDArray[Any], changed: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        """Compute the losses of waveforms `[batch, samples]`, in dB².

        Returns:
          ``style_loss``: mean square difference of the mean levels of the changed tile and those
          expected of the style; ``content_loss``: mean square difference of the changed and the
          original tile's levels without their envelopes.
        """
        hop = self.analysis.spec.hop_samples
        expected = self._frames(self.expected_style, tiles, hop)
        is_inside = self._places(tiles, hop) <= len(self.weights) - 1  # not in the padding
        weights = self._frames(self.weights, tiles, hop) * is_inside + 1e-6
        power = [self._power(tf.constant(each)).numpy() for each in (original, changed)]
        style, content = [], []
        for before, after, target, weight in zip(*power, expected, weights, strict=True):
            if is_silent(before) or is_silent(after):
                style.append(0.0)
                content.append(0.0)
                continue
            old, new = normalize_power(before), normalize_power(after)
            mean_difference = np.average(new - target, axis=0, weights=weight)
            style.append(float(np.mean((mean_difference - mean_difference.mean()) ** 2)))
            detail = (new - spectral_envelope(new, _ENVELOPE_ORDER)) - (
                old - spectral_envelope(old, _ENVELOPE_ORDER)
            )
            content.append(float(np.average(np.mean(detail**2, axis=1), weights=weight)))
        return {"style_loss": np.array(style), "content_loss": np.array(content)}

    @cached_property
    def _power(self) -> Any:
        return tf.function(self.analysis.waveform_to_power, reduce_retracing=True)


def _read_power(analysis: MelAnalysis, path: Path, role: str) -> tuple[NDArray[np.float32], int]:
    """Return the mel power of a file, and its number of samples at the analysis' rate."""
    with audio.Reader(path) as reader:
        blocks = audio.Counted(reader.mid(analysis.sample_rate))
        power = analysis.stream_to_power(blocks)
    if is_silent(power):
        raise AudioError(f"the {role} '{path}' is silent; use another file")
    return power, blocks.samples


def _log10(values: tf.Tensor) -> tf.Tensor:
    return tf.math.log(values) / math.log(10)


def _suffixed(measures: dict[str, NDArray[Any]], suffix: str) -> Measures:
    return {f"{name}_{suffix}": values for name, values in measures.items()}
