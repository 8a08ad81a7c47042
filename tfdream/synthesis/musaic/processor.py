"""Musaics of the tiles of a file, at its own sample rate."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import TilesConfig
from tfdream.synthesis.musaic.analysis import FrameAnalysis
from tfdream.synthesis.musaic.composition import Musaic
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.one_pass import OnePassProcessor
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, mid_tiles

_TILE_SECONDS = 10.0


class ContentSpectrum(NamedTuple):
    """The mean spectrum of a content, which is measured once for all settings of its musaics.

    Attributes:
      power: power of the bands, summed over the frames, float64 `[bands]`.
      samples: length of the content.
    """

    power: NDArray[np.float64]
    samples: int

    @classmethod
    def from_file(cls, path: Path, analysis: FrameAnalysis) -> "ContentSpectrum":
        """Measure a file of the sample rate of the analysis.

        Raises:
          AudioError: if the file cannot be read.
        """
        length = round(_TILE_SECONDS * analysis.sample_rate)
        samples = 0

        def counted() -> Iterator[Tiles]:
            nonlocal samples
            for tiles in mid_tiles(reader, analysis.sample_rate, TileGrid(length, overlap=0)):
                samples += round(tiles.weights.sum() * length)
                yield tiles

        with audio.Reader(path) as reader:
            power = analysis.total_power(counted())
        return cls(power, samples)


class MusaicProcessor(OnePassProcessor):
    """Replaces a content by a musaic; a `rendering.processor.TileProcessor`.

    Args:
      content: mean spectrum and length of the file to change.
      musaic: composes waveforms of the content's rate.
      tiles: length and overlap of the tiles.
    """

    def __init__(self, content: ContentSpectrum, musaic: Musaic, tiles: TilesConfig) -> None:
        self.content = content
        self.musaic = musaic
        self.tiles = tiles
        self.sample_rate = musaic.analysis.sample_rate
        self.equalizer = musaic.equalizer(content.power)

    @cached_property
    def grid(self) -> TileGrid:
        """Positions of the tiles: several ones begin at common frames."""
        spec = self.musaic.analysis.spec
        longest = round(_TILE_SECONDS * self.sample_rate)
        grid = TileGrid.build(self.tiles, longest, self.sample_rate, spec.n_fft)
        if self.content.samples <= grid.samples:
            return grid.limited(_rounded(max(self.content.samples, spec.n_fft), grid.samples))
        return grid.aligned(spec.hop_samples)

    def change(self, tiles: Tiles) -> NDArray[Any]:
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        composed = self.musaic.compose(tf.constant(tiles.channels), self.equalizer, seconds)
        channels: NDArray[Any] = composed.numpy()
        return channels

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Compute the losses of tiles; see `Musaic.measure`."""
        losses = self.musaic.measure(tf.constant(original.channels), tf.constant(changed.channels))
        return {name: value.numpy() for name, value in losses.items()}


def _rounded(samples: int, longest: int) -> int:
    """Round a length up to a half, a quarter, and so on of the longest one.

    Musaics are compiled for each length of a tile: contents of many lengths need few functions.

    >>> [_rounded(samples, longest=1000) for samples in (1000, 501, 500, 130)]
    [1000, 1000, 500, 250]
    """
    length = longest
    while length - length // 2 >= samples:
        length -= length // 2
    return length
