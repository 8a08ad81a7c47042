"""Application of gains that follow the notes of a content, at the file's own sample rate."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import StftSpec
from tfdream.config.recipes import MappingConfig
from tfdream.signal.decibels import db_to_amplitude
from tfdream.signal.graphs import compiled
from tfdream.signal.stft import stft_to_power, stft_to_waveform, waveform_to_stft
from tfdream.signal.timbre import (
    SILENCE,
    distort,
    is_silent,
    normalize_power,
    spectral_envelope,
)
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.mapping.content import ContentGains
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.one_pass import OnePassProcessor
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines

_TILE_SECONDS = 10.0
_ENVELOPE_ORDER = 20
_GAIN_RANGE_DB = (-40.0, 30.0)
# Bands this far below the content's loudest are empty, with a transition.
_EMPTY_BELOW_DB, _TRANSITION_DB = 50.0, 10.0
# Sound below this level is not added; distortion is amplified by at most so much.
_INAUDIBLE_DB, _MAX_FILL_DB = 85.0, 40.0
_AUDIBLE_DB = 60.0
"""Bands softer than this below the loudest one do not count frame by frame."""


class GainProcessor(OnePassProcessor):
    """Applies the gains of a model to a content; a `rendering.processor.TileProcessor`.

    Args:
      content: gains of the file to change.
      config: added sound, mask and tiles.
      timelines: curves of the mask.
    """

    def __init__(
        self, content: ContentGains, config: MappingConfig, timelines: Timelines = NO_TIMELINES
    ) -> None:
        self.content = content
        self.config = config
        self.analysis = content.analysis
        self.sample_rate = content.analysis.sample_rate
        fft = self.analysis.spec.n_fft
        self.stft = StftSpec(n_fft=fft, hop_samples=fft // 4)
        self.mask = Mask.build(config.mask, self.sample_rate, timelines)

    @cached_property
    def grid(self) -> TileGrid:
        """Positions of the tiles."""
        longest, window = round(_TILE_SECONDS * self.sample_rate), self.analysis.spec.n_fft
        grid = TileGrid.build(self.config.tiles, longest, self.sample_rate, window)
        return grid.limited(max(window, self.content.samples))

    def change(self, tiles: Tiles) -> NDArray[Any]:
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        gains = tf.constant(self._frames(self.content.gain_db, tiles, self.stft.hop_samples))
        channels: NDArray[Any] = self._compiled(tf.constant(tiles.channels), gains, seconds).numpy()
        return channels

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        return self._losses(original, original.waveforms, changed.waveforms)

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
        samples = self.content.start + tiles.starts[:, np.newaxis] + hop * np.arange(count)
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
        return compiled(self._render)

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
        weight: tf.Tensor | float = 1.0
        if self.mask is not None:
            weight = self.mask(stft, self.stft, seconds)
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
        emptiness = (self.content.peak_db - _EMPTY_BELOW_DB - level_db) / _TRANSITION_DB
        share = tf.where(gain_db > 0, tf.clip_by_value(emptiness, 0.0, 1.0), 0.0)
        if self.config.added_db is None:
            reduction = tf.minimum(tf.maximum(gain_db, 0.0), self.config.noise_reduction_db)
            return None, gain_db - share * reduction
        target_db = level_db + gain_db + self.config.added_db
        source_db = self._level_db(waveform_to_stft(distort(mid, self.sample_rate), self.stft))
        fill_db = target_db - source_db + 10 * _log10(tf.maximum(share, 1e-3))
        audible = (share > 0.01) & (target_db > self.content.peak_db - _INAUDIBLE_DB)
        fill = tf.where(audible, db_to_amplitude(tf.minimum(fill_db, _MAX_FILL_DB)), 0.0)
        return fill, gain_db - share * tf.clip_by_value(gain_db, 0.0, _GAIN_RANGE_DB[1])

    def _level_db(self, stft: tf.Tensor) -> tf.Tensor:
        """Return the levels of mel bands in dB, `[batch, frames, bands]`."""
        power = self.analysis.bands.from_bins(stft_to_power(stft))
        return 10 * _log10(tf.maximum(power, SILENCE))

    def _losses(
        self, tiles: Tiles, original: NDArray[Any], changed: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        """Compute the losses of waveforms `[batch, samples]`, in dB².

        Returns:
          ``style_loss``: mean square difference of the levels of the changed tile, or of their
          means over time, and those expected of the style; ``content_loss``: mean square
          difference of the changed and the original tile's levels without their envelopes.
        """
        hop = self.analysis.spec.hop_samples
        expected = self._frames(self.content.expected, tiles, hop)
        all_weights, by_frame = self.content.weights, self.content.by_frame
        last = min(len(all_weights) - 1, self.content.end / hop)
        is_inside = self._places(tiles, hop) <= last  # not in the padding
        weights = self._frames(all_weights, tiles, hop) * is_inside + 1e-6
        power = [self._power(tf.constant(each)).numpy() for each in (original, changed)]
        style, content = [], []
        for before, after, target, weight in zip(*power, expected, weights, strict=True):
            if is_silent(before) or is_silent(after):
                style.append(0.0)
                content.append(0.0)
                continue
            old, new = normalize_power(before), normalize_power(after)
            if by_frame:
                lowest = target.max() - _AUDIBLE_DB
                difference = np.maximum(new, lowest) - np.maximum(target, lowest)
            else:
                difference = new - target
            mean = np.average(difference, axis=0, weights=weight)
            if by_frame:
                squares = np.mean((difference - mean.mean()) ** 2, axis=1)
                style.append(float(np.average(squares, weights=weight)))
            else:
                style.append(float(np.mean((mean - mean.mean()) ** 2)))
            detail = (new - spectral_envelope(new, _ENVELOPE_ORDER)) - (
                old - spectral_envelope(old, _ENVELOPE_ORDER)
            )
            content.append(float(np.average(np.mean(detail**2, axis=1), weights=weight)))
        return {"style_loss": np.array(style), "content_loss": np.array(content)}

    @cached_property
    def _power(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return compiled(self.analysis.waveform_to_power)


def _log10(values: tf.Tensor) -> tf.Tensor:
    return tf.math.log(values) / math.log(10)
