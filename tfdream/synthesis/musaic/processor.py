"""Musaics of tiles, at the file's own sample rate."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config.musaic import MusaicConfig
from tfdream.signal.stft import scale_cells, stft_to_waveform, waveform_to_stft
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.musaic.activations import activate
from tfdream.synthesis.musaic.dictionary import Dictionary
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import Goal, OnStep
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, mid_tiles

_TILE_SECONDS = 10.0
# The equalizer does not amplify bands that are softer than this below the loudest one.
_EQUALIZED_DB = 60.0
# Largest correction of the level of a frame.
_MAX_GAIN = 10.0
_TINY = 1e-9


class MusaicProcessor:
    """Composes a content of the frames of a style; a `rendering.process.TileProcessor`.

    The target of the activations is the magnitude of the content with the mean spectrum of the
    style: otherwise they would choose frames whose timbre is that of the content. Every channel
    receives the same combination of frames, at its own level in each frame.

    Args:
      content_path: the file to change; its mean spectrum is measured.
      dictionary: frames of the style at the content's rate.
      config: strength, restrictions, mask and tiles.

    Raises:
      AudioError: if the content cannot be read.
    """

    def __init__(self, content_path: Path, dictionary: Dictionary, config: MusaicConfig) -> None:
        self.config = config
        self.dictionary = dictionary
        self.analysis = dictionary.analysis
        self.sample_rate = dictionary.analysis.sample_rate
        self.mask = Mask.build(config.mask, self.sample_rate)
        self.content_samples = 0
        self.equalizer = self._equalizer(content_path)

    @cached_property
    def grid(self) -> TileGrid:
        """Positions of the tiles: several ones begin at common frames."""
        hop, longest = self.analysis.spec.hop_samples, round(_TILE_SECONDS * self.sample_rate)
        grid = TileGrid.build(self.config.tiles, longest, self.sample_rate)
        if self.content_samples <= grid.samples:
            return replace(grid, samples=max(self.content_samples, self.analysis.spec.n_fft))
        return TileGrid(grid.samples // hop * hop, grid.overlap // hop * hop, grid.batch)

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
        """Compose tiles of the frames of the style; see `rendering.process.TileProcessor`."""
        original = tf.constant(tiles.channels)
        before = self._losses(original, original)
        channels, after = tiles.channels, before
        if apply:
            seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
            changed = self._render(original, seconds)
            channels, after = changed.numpy(), self._losses(original, changed)
            on_step(math.nan, lambda: channels)
        return channels, _suffixed(before, "before") | _suffixed(after, "after")

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure the losses of tiles of the written file."""
        losses = self._losses(tf.constant(original.channels), tf.constant(changed.channels))
        return {name: value.numpy() for name, value in losses.items()}

    def _equalizer(self, path: Path) -> NDArray[np.float32]:
        """Return the factors of the content's bands for the mean spectrum of the style."""
        total, weight = np.zeros_like(self.dictionary.power), 0.0
        longest = round(_TILE_SECONDS * self.sample_rate)
        with audio.Reader(path) as reader:
            for tiles in mid_tiles(reader, self.sample_rate, TileGrid(longest, overlap=0)):
                stft = self.analysis.compiled_stft(tf.constant(tiles.waveforms))
                total += self.analysis.to_power(stft).numpy()[0].sum(axis=0, dtype=np.float64)
                weight += tiles.weights.sum()
        self.content_samples = round(weight * longest)
        content, style = (
            power / max(power.mean(), _TINY) + 10 ** (-_EQUALIZED_DB / 10)
            for power in (total, self.dictionary.power)
        )
        factors: NDArray[np.float32] = np.sqrt(style / content).astype(np.float32)
        return factors

    @cached_property
    def _render(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        return _compiled(self._compose)

    @cached_property
    def _losses(self) -> Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
        return _compiled(self._measure)

    def _compose(self, channels: tf.Tensor, seconds: tf.Tensor) -> tf.Tensor:
        """Replace a share of the content by the musaic.

        Args:
          channels: float32 `[batch, samples, channels]`.
          seconds: start of each tile, for the mask.

        Returns:
          The changed channels.
        """
        spec, samples = self.analysis.spec, channels.shape[1]
        originals = [waveform_to_stft(each, spec) for each in tf.unstack(channels, axis=-1)]
        powers = [self.equalizer**2 * self.analysis.to_power(each) for each in originals]
        target = tf.sqrt(tf.add_n(powers) / len(powers))
        musaic = self._combine(
            activate(target, self.dictionary.magnitudes, self.config.activations)
        )
        power = tf.reduce_sum(self.analysis.to_power(musaic), axis=-1, keepdims=True)
        weight: tf.Tensor | float = self.config.mix * self.config.style_strength
        if self.mask is not None:
            weight *= self.mask(waveform_to_stft(tf.reduce_mean(channels, 2), spec), spec, seconds)
        changed = []
        for original, own in zip(originals, powers, strict=True):
            own_power = tf.reduce_sum(own, axis=-1, keepdims=True)
            gain = tf.minimum(tf.sqrt(own_power / (power + _TINY)), _MAX_GAIN)
            change = scale_cells(scale_cells(musaic, gain) - original, weight)
            changed.append(stft_to_waveform(original + change, spec, samples))
        return tf.stack(changed, axis=-1)

    def _combine(self, activations: tf.Tensor) -> tf.Tensor:
        """Sum the STFTs of activated frames, complex64 `[batch, frames, bins]`."""
        stft = self.dictionary.stft
        flat = stft.reshape(-1, stft.shape[-1])
        weights = tf.reshape(activations, [*tf.unstack(tf.shape(activations)[:2]), len(flat)])
        return tf.complex(tf.matmul(weights, flat.real), tf.matmul(weights, flat.imag))

    def _measure(self, original: tf.Tensor, changed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the losses of channels `[batch, samples, channels]`, from 0 to 1.

        Returns:
          ``style_loss``: 1 − the cosine similarity of the magnitudes of a frame's bands with those
          of the nearest frame of the style; ``content_loss``: 1 − that with the original's frame;
          both averaged over the frames, weighted by the magnitude of the original.
        """
        mid = tf.reduce_mean(tf.stack([original, changed]), axis=-1)
        stft = [waveform_to_stft(each, self.analysis.spec) for each in tf.unstack(mid)]
        before, after = (tf.sqrt(self.analysis.to_power(each)) for each in stft)
        norm = tf.norm(before, axis=-1)
        before, after = (
            tf.math.l2_normalize(each, axis=-1, epsilon=_TINY**2) for each in (before, after)
        )
        frames = self.dictionary.magnitudes.reshape(-1, before.shape[-1])
        nearest = tf.reduce_max(tf.matmul(after, frames, transpose_b=True), axis=-1)
        own = tf.reduce_sum(before * after, axis=-1)

        def loss(similarity: tf.Tensor) -> tf.Tensor:
            weighted = tf.reduce_sum(norm * (1 - similarity), axis=1)
            return weighted / (tf.reduce_sum(norm, axis=1) + _TINY)

        return {"style_loss": loss(nearest), "content_loss": loss(own)}


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, reduce_retracing=True, autograph=False)
    return compiled


def _suffixed(losses: dict[str, tf.Tensor], suffix: str) -> Measures:
    return {f"{name}_{suffix}": value.numpy() for name, value in losses.items()}
