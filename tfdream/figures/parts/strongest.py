"""The parts of recordings at which the channels of a layer are most active."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.signal.graphs import compiled
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, mid_tiles

_BATCH = 16


class Moment(NamedTuple):
    """A moment of a recording.

    Attributes:
      activation: the channel's activation.
      path: the recording.
      clip_seconds: start of the clip that the network received, in seconds.
      seconds: the moment, in seconds from the start of the clip.
    """

    activation: float
    path: Path
    clip_seconds: float
    seconds: float


class StrongestMoments:
    """The strongest moments of every channel of a layer, at most one of each clip.

    Args:
      run: run of the network.
      layer: name of the layer.
      count: number of moments of each channel.
    """

    def __init__(self, run: Run, layer: str, count: int) -> None:
        self.run = run
        self.layer = layer
        self.count = count
        network, frontend = inspect.tap(run.model, [layer]), run.frontend

        @compiled
        def peaks(waveform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """Return the largest activation of each channel, and its position in the clip, 0…1."""
            activations = network(frontend(waveform), training=False)[layer]
            rank = activations.shape.rank
            if rank == 4:  # frequency, time, channels
                activations = tf.reduce_max(activations, axis=1)
            if rank == 2:
                activations = activations[:, tf.newaxis]
            column = tf.cast(tf.argmax(activations, axis=1), tf.float32)
            length = tf.cast(tf.shape(activations)[1], tf.float32)
            return tf.reduce_max(activations, axis=1), (column + 0.5) / length

        self._peaks = peaks
        self._values: list[NDArray[Any]] = []
        self._positions: list[NDArray[Any]] = []
        self._clips: list[tuple[Path, float]] = []

    def add(self, path: Path) -> None:
        """Add the clips of a recording.

        Raises:
          AudioError: if it cannot be read.
        """
        for tiles in self._tiles(path):
            values, positions = self._peaks(tf.constant(tiles.waveforms))
            self._values.append(values.numpy())
            self._positions.append(positions.numpy())
            self._clips += [(path, start / self.run.sample_rate) for start in tiles.starts]

    @property
    def channels(self) -> int:
        """Number of channels of the layer."""
        return int(self.run.model.get_layer(self.layer).output.shape[-1])

    def most_selective(self, count: int) -> list[int]:
        """Return the channels whose strongest clip exceeds the others most, in their order.

        It is the largest activation less the mean over the clips, divided by their deviation.
        """
        values = np.concatenate(self._values)
        excess = (values.max(0) - values.mean(0)) / (values.std(0) + 1e-6 * np.abs(values).max())
        return sorted(int(channel) for channel in np.argsort(-excess, kind="stable")[:count])

    def of(self, channel: int) -> list[Moment]:
        """Return the strongest moments of a channel, the strongest first."""
        values = np.concatenate(self._values)[:, channel]
        positions = np.concatenate(self._positions)[:, channel]
        length = self.run.input_samples / self.run.sample_rate
        moments = []
        for clip in np.argsort(-values, kind="stable")[: self.count]:
            path, start = self._clips[clip]
            moments.append(
                Moment(float(values[clip]), path, start, float(positions[clip]) * length)
            )
        return moments

    def inputs(self, rows: Sequence[Sequence[Moment]]) -> list[NDArray[Any]]:
        """Return the network's inputs for the clips of some moments; each file is read once.

        Args:
          rows: moments, such as those of several channels.

        Returns:
          For each row, float32 `[moments, …]`.
        """
        wanted = {(moment.path, moment.clip_seconds) for row in rows for moment in row}
        inputs: dict[tuple[Path, float], NDArray[Any]] = {}
        for path in {path for path, _ in wanted}:
            for tiles in self._tiles(path):
                for start, waveform in zip(tiles.starts, tiles.waveforms, strict=True):
                    clip = path, start / self.run.sample_rate
                    if clip in wanted:
                        inputs[clip] = self.run.frontend(tf.constant(waveform[None])).numpy()[0]
        return [
            np.stack([inputs[moment.path, moment.clip_seconds] for moment in row]) for row in rows
        ]

    def _tiles(self, path: Path) -> Iterator[Tiles]:
        """Yield the clips of a recording in batches."""
        grid = TileGrid(self.run.input_samples, 0, _BATCH)
        with audio.Reader(path) as reader:
            yield from mid_tiles(reader, self.run.sample_rate, grid)
