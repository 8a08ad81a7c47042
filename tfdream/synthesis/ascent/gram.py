"""Style as Gram matrices: products of a layer's features, averaged over all positions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import TransferConfig
from tfdream.models import inspect
from tfdream.signal.graphs import compiled
from tfdream.signal.images import Size
from tfdream.synthesis.ascent.objectives.base import Activations, Objective, Targets, positions
from tfdream.synthesis.audio_model import AudioModel

Over = Literal["channels", "time"]
"""The axis that the features of a Gram matrix lie on."""
GramNormalization = Literal["gatys", "mse", "normalized_mse"]


@dataclass(frozen=True)
class GramMatrix:
    """The Gram matrix G = BᵀB / positions of a layer's activations B `[positions, features]`.

    If there are fewer positions than features, B is stored instead: it is smaller, and the distance
    to it is cheaper (see `distance`).

    Attributes:
      rows: B, float32 `[positions, features]`, or None if `gram` is stored.
      gram: G, float32 `[features, features]`, or None if `rows` are stored.
      positions: number of positions of all tiles.
      square: ‖G‖², float32.

    >>> gram = GramMatrix.from_tiles([tf.constant([[[1.0, 0.0], [1.0, 2.0]]])], "channels")
    >>> gram.matrix().numpy().tolist()
    [[1.0, 1.0], [1.0, 2.0]]
    """

    rows: tf.Tensor | None
    gram: tf.Tensor | None
    positions: int
    square: tf.Tensor

    @classmethod
    def from_tiles(cls, tiles: Iterable[tf.Tensor], over: Over) -> "GramMatrix":
        """Compute the Gram matrix of the activations `[1, …]` of several tiles."""
        accumulator = GramAccumulator(over)
        for activations in tiles:
            accumulator.add(activations)
        return accumulator.result()

    def distance(self, activations: tf.Tensor) -> tf.Tensor:
        """Return ‖AᵀA/P − G‖² of activations A `[batch, P, features]`: float32 `[batch]`.

        With fewer positions than features it is computed from products of positions:
        ‖AᵀA/P − BᵀB/Q‖² = ‖AAᵀ‖²/P² − 2‖ABᵀ‖²/(PQ) + ‖BBᵀ‖²/Q².
        """
        count = activations.shape[1]
        features = tf.cast(activations, tf.float32)
        if self.rows is None or count > features.shape[2]:
            target = self.matrix()
            difference = tf.matmul(features, features, transpose_a=True) / count - target
            return tf.reduce_sum(difference**2, axis=[1, 2])
        inner = tf.reduce_sum(tf.matmul(features, features, transpose_b=True) ** 2, axis=[1, 2])
        cross = tf.linalg.matmul(features, self.rows, transpose_b=True)
        across = tf.reduce_sum(cross**2, axis=[1, 2])
        return inner / count**2 - 2 * across / (count * self.positions) + self.square

    def distance_to(self, other: "GramMatrix") -> tf.Tensor:
        """Return ‖G − H‖² of another Gram matrix H, float32; never negative through rounding."""
        for target, rows in ((self, other.rows), (other, self.rows)):
            if rows is not None:
                return tf.maximum(target.distance(rows[tf.newaxis])[0], 0)
        return tf.reduce_sum((self.matrix() - other.matrix()) ** 2)

    def matrix(self) -> tf.Tensor:
        """Return G, float32 `[features, features]`."""
        if self.gram is not None:
            return self.gram
        return tf.matmul(self.rows, self.rows, transpose_a=True) / self.positions


class GramAccumulator:
    """Accumulates the Gram matrix of one layer tile by tile."""

    def __init__(self, over: Over) -> None:
        self.over = over
        self._rows: list[tf.Tensor] = []
        self._gram: tf.Tensor | None = None
        self._positions = 0

    def add(self, activations: tf.Tensor) -> None:
        """Add the activations `[1, …]` of a tile."""
        features = flatten(activations, self.over)[0]
        self._positions += features.shape[0]
        self._rows.append(features)
        if self._gram is None and self._positions <= features.shape[1]:
            return
        for rows in self._rows:
            product = tf.matmul(rows, rows, transpose_a=True)
            self._gram = product if self._gram is None else self._gram + product
        self._rows = []

    def result(self) -> GramMatrix:
        """Return the Gram matrix of all tiles so far."""
        if self._gram is not None:
            gram = self._gram / self._positions
            return GramMatrix(None, gram, self._positions, tf.reduce_sum(gram**2))
        rows = tf.concat(self._rows, axis=0)
        energy = tf.reduce_sum(tf.matmul(rows, rows, transpose_b=True) ** 2)
        return GramMatrix(rows, None, self._positions, energy / self._positions**2)


class GramExtractor:
    """Computes Gram matrices of audio files; its graph is compiled once for all files.

    Args:
      audio_model: network and frontend.
      config: names the style layers and the axis of the Gram matrices.
      size: size of an octave, to which the view is resized; None for the view as it is.

    Raises:
      ConfigError: if the network does not accept tiles of this length.
    """

    def __init__(
        self, audio_model: AudioModel, config: TransferConfig, size: Size | None = None
    ) -> None:
        self.audio_model = audio_model
        self.config = config
        network = inspect.tap(audio_model.model, sorted(config.style_layers))
        samples = config.tiles.samples(audio_model.sample_rate, audio_model.input_samples)
        shape = audio_model.frontend.shape(samples)
        inspect.check_input(network, shape, size)

        def activations(tile: tf.Tensor) -> Activations:
            return dict(network(audio_model.frontend(tile, size), training=False))

        self._activations = compiled(activations)

    def __call__(self, path: str | Path, gain: float = 1.0) -> dict[str, GramMatrix]:
        """Return the Gram matrices of a whole file, by layer.

        Args:
          path: any audio file.
          gain: factor of its samples.
        """
        accumulators = {
            layer: GramAccumulator(self.config.gram) for layer in self.config.style_layers
        }
        for tile in full_tiles(path, self.audio_model, self.config):
            activations = self._activations(tf.constant(tile * np.float32(gain)))
            for layer, tensor in activations.items():
                accumulators[layer].add(tensor)
        return {layer: accumulator.result() for layer, accumulator in accumulators.items()}


def extract_grams(
    path: str | Path, audio_model: AudioModel, config: TransferConfig, size: Size | None = None
) -> dict[str, GramMatrix]:
    """Return the Gram matrices of a whole file, by layer; see `GramExtractor`."""
    return GramExtractor(audio_model, config, size)(path)


def full_tiles(
    path: str | Path, audio_model: AudioModel, config: TransferConfig
) -> Iterator[NDArray[Any]]:
    """Yield tiles float32 `[1, samples]` of the mid signal that cover a file.

    A file shorter than a tile is repeated.

    The last tile ends with the file: what it shares with the one before counts twice in a mean.
    """
    samples = config.tiles.samples(audio_model.sample_rate, audio_model.input_samples)
    previous: NDArray[Any] | None = None
    with audio.Reader(path) as reader:
        for piece in audio.rechunk(reader.mid(audio_model.sample_rate), samples):
            tile = piece[:, 0]
            if len(tile) < samples:
                # The last tile ends with the file and overlaps the previous one.
                tile = (
                    np.resize(tile, samples)
                    if previous is None
                    else np.concatenate([previous, tile])[-samples:]
                )
            yield tile[np.newaxis]
            previous = tile


def flatten(activations: tf.Tensor, over: Over) -> tf.Tensor:
    """Reshape activations `[batch, (height,) width, channels]` to `[batch, positions, features]`.

    Over channels, every place in the image is a position and the channels are the features. Over
    time, every channel at every height is a position and the times are the features.
    """
    if over == "channels":
        return positions(activations)
    time = activations.shape.rank - 2
    last = [axis for axis in range(activations.shape.rank) if axis != time] + [time]
    return positions(tf.transpose(activations, last))


def style(
    layer: str,
    weight: float,
    target: GramMatrix,
    over: Over,
    normalization: GramNormalization,
    features: int | None = None,
) -> Objective:
    """Return the distance of a layer's Gram matrix from a target, as an objective to negate.

    Args:
      layer: the layer.
      weight: λ.
      target: Gram matrix of the style.
      over: axis of the Gram matrix, as in the target.
      normalization: ``gatys`` for λ/(2·n_h·n_w·n_c)² ΣΣ (Gram_S − Gram_G)², where the Gram matrices
        are sums over n_h·n_w positions (here means, so that lengths may differ); ``mse`` for λ
        times the mean square of the difference of Gram matrices, each over its positions;
        ``normalized_mse`` for the same with each matrix over its features and positions.
      features: number of features in these formulas; by default that of the layer.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style", equations 3 to 5; "On
    the Generation of Music", section 4; "Music generation using style transfer", baseline CNN.
    """

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        rows = flatten(activations[layer], over)
        count = features or rows.shape[2]
        scales = {"gatys": (2 * count) ** -2, "mse": count**-2, "normalized_mse": count**-4}
        return weight * scales[normalization] * target.distance(rows)

    return Objective(f"{weight:g}*style({layer})", frozenset({layer}), value)
