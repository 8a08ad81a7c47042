"""Translations that are composed of excerpts of the target genre."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.synthesis.musaic import Musaic
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import OnStep, TileProcessor
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, channel_tiles


class ComposedTranslator:
    """Translates tiles, and composes the result of a style; a `rendering.process.TileProcessor`.

    The gains of a translation change how loud a recording is in each band, but add no sound. Here
    they are the target of a musaic of excerpts of the genre, which has its instruments and beats.

    Args:
      source: the file to translate; the mean spectrum of its translation is measured.
      translator: changes the levels.
      musaic: composes the changed tiles.
    """

    def __init__(self, source: Path, translator: TileProcessor, musaic: Musaic) -> None:
        self.source = source
        self.translator = translator
        self.musaic = musaic
        self.sample_rate = translator.sample_rate
        self.steps = translator.steps
        self.goal = translator.goal

    @cached_property
    def grid(self) -> TileGrid:
        """The tiles of the translator, of which several begin at common frames of the musaic."""
        grid = self.translator.grid
        hop = self.musaic.analysis.spec.hop_samples
        return replace(grid, overlap=grid.samples - grid.hop // hop * hop)

    @cached_property
    def equalizer(self) -> tf.Tensor:
        """Factors of the bands, from the mean spectrum of the translated file to the style's."""
        return self.musaic.equalizer(self.musaic.analysis.total_power(self._translated()))

    def _translated(self) -> Iterator[tf.Tensor]:
        """Yield the mid signals of the translated tiles, without overlap."""
        grid = replace(self.grid, overlap=0)
        with audio.Reader(self.source) as reader:
            for tiles in channel_tiles(reader, self.sample_rate, grid):
                channels, _ = self.translator.process(tiles)
                yield tf.constant(channels.mean(axis=2))

    def process(
        self, tiles: Tiles, on_step: OnStep = lambda value, render: None, apply: bool = True
    ) -> tuple[NDArray[Any], Measures]:
        """Translate and compose tiles; see `TileProcessor`. The measures are the translator's."""
        channels, measures = self.translator.process(tiles, apply=apply)
        if not apply:
            return channels, measures
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        composed: NDArray[Any] = self.musaic.compose(
            tf.constant(channels), self.equalizer, seconds
        ).numpy()
        on_step(0.0, lambda: composed)
        return composed, measures

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure tiles as the translator does."""
        return self.translator.compare(original, changed)
