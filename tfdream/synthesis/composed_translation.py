"""Translations that are composed of excerpts of the target label."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.synthesis.musaic import Musaic
from tfdream.synthesis.musaic.analysis import FrameAnalysis
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import OnStep, TileProcessor
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, channel_tiles


class ComposedTranslator:
    """Translates tiles, and composes the result of a style; a `rendering.processor.TileProcessor`.

    The gains of a translation change how loud a recording is in each band, but add no sound. Here
    they are the target of a musaic of excerpts of the label, which has its instruments and beats.

    Args:
      translator: changes the levels.
      musaic: composes the changed tiles.
      read_power: returns the power of the bands of the translated file, summed over its frames.
    """

    def __init__(
        self,
        translator: TileProcessor,
        musaic: Musaic,
        read_power: Callable[[], NDArray[np.float64]],
    ) -> None:
        self.translator = translator
        self.musaic = musaic
        self.read_power = read_power
        self.sample_rate = translator.sample_rate
        self.steps = translator.steps
        self.goal = translator.goal

    @cached_property
    def grid(self) -> TileGrid:
        """The tiles of the translator, which begin at common frames of the musaic."""
        return self.translator.grid.aligned(self.musaic.analysis.spec.hop_samples)

    @cached_property
    def equalizer(self) -> tf.Tensor:
        """Factors of the bands, from the mean spectrum of the translated file to the style's."""
        return self.musaic.equalizer(self.read_power())

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
        on_step(math.nan, lambda: composed)
        return composed, measures

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure tiles as the translator does."""
        return self.translator.compare(original, changed)


def translated_power(
    source: Path, translator: TileProcessor, analysis: FrameAnalysis
) -> NDArray[np.float64]:
    """Return the power of the bands of a translated file, summed over its frames: `[bands]`."""

    def translated() -> Iterator[Tiles]:
        grid = replace(translator.grid, overlap=0)
        for tiles in channel_tiles(reader, translator.sample_rate, grid):
            channels, _ = translator.process(tiles)
            yield tiles._replace(channels=channels)

    with audio.Reader(source) as reader:
        return analysis.total_power(translated())
