"""Musaics of the tiles of a file, at its own sample rate."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import TilesConfig
from tfdream.synthesis.musaic.composition import Musaic
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.one_pass import OnePassProcessor
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, mid_tiles

_TILE_SECONDS = 10.0


class MusaicProcessor(OnePassProcessor):
    """Replaces a content by a musaic; a `rendering.process.TileProcessor`.

    Args:
      content_path: the file to change; its mean spectrum is measured.
      musaic: composes waveforms of the content's rate.
      tiles: length and overlap of the tiles.

    Raises:
      AudioError: if the content cannot be read.
    """

    def __init__(self, content_path: Path, musaic: Musaic, tiles: TilesConfig) -> None:
        self.musaic = musaic
        self.tiles = tiles
        self.sample_rate = musaic.analysis.sample_rate
        self._longest = round(_TILE_SECONDS * self.sample_rate)
        power, self.content_samples = self._read_power(content_path)
        self.equalizer = musaic.equalizer(power)

    @cached_property
    def grid(self) -> TileGrid:
        """Positions of the tiles: several ones begin at common frames."""
        spec = self.musaic.analysis.spec
        grid = TileGrid.build(self.tiles, self._longest, self.sample_rate)
        if self.content_samples <= grid.samples:
            return grid.limited(max(self.content_samples, spec.n_fft))
        samples, overlap = (
            each // spec.hop_samples * spec.hop_samples for each in (grid.samples, grid.overlap)
        )
        return TileGrid(samples, overlap, grid.batch)

    def change(self, tiles: Tiles) -> NDArray[Any]:
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        composed = self.musaic.compose(tf.constant(tiles.channels), self.equalizer, seconds)
        channels: NDArray[Any] = composed.numpy()
        return channels

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Compute the losses of tiles; see `Musaic.measure`."""
        losses = self.musaic.measure(tf.constant(original.channels), tf.constant(changed.channels))
        return {name: value.numpy() for name, value in losses.items()}

    def _read_power(self, path: Path) -> tuple[NDArray[np.float64], int]:
        """Return the power of the bands of a file, summed over its frames, and its length."""
        tiles_read = 0.0

        def waveforms() -> Iterator[tf.Tensor]:
            nonlocal tiles_read
            for tiles in mid_tiles(reader, self.sample_rate, TileGrid(self._longest, overlap=0)):
                tiles_read += tiles.weights.sum()
                yield tf.constant(tiles.waveforms)

        with audio.Reader(path) as reader:
            power = self.musaic.analysis.total_power(waveforms())
        return power, round(tiles_read * self._longest)
