"""Style: how a layer's features go together, whatever the place, as their Gram matrix."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.objectives import (
    Activations,
    Objective,
    Reference,
    Targets,
    positions,
)

Over = Literal["channels", "time"]
_TINY = 1e-12


@dataclass(frozen=True)
class GramMatrix:
    """The Gram matrix G = BᵀB / positions of a layer's activations B `[positions, features]`.

    Where there are fewer positions than features, B itself is kept instead: it is smaller, and the
    distance to it is cheaper (see `distance`).

    Attributes:
      rows: float32 `[positions, features]`, or None.
      gram: float32 `[features, features]`, or None if `rows` is there.
      positions: of all tiles that it was read from.
      square: ‖G‖², float32.
    """

    rows: tf.Tensor | None
    gram: tf.Tensor | None
    positions: int
    square: tf.Tensor

    @classmethod
    def read(cls, tiles: Iterable[tf.Tensor], over: Over) -> "GramMatrix":
        """Read it from the activations `[1, …]` of one tile after the other."""
        reader = GramAccumulator(over)
        for activations in tiles:
            reader.add(activations)
        return reader.texture()

    def distance(self, activations: tf.Tensor) -> tf.Tensor:
        """‖AᵀA/P − G‖² of activations A `[batch, P, features]`: float32 `[batch]`.

        With fewer positions than features, by the products of positions with positions:
        ‖AᵀA/P − BᵀB/Q‖² = ‖AAᵀ‖²/P² − 2‖ABᵀ‖²/(PQ) + ‖BBᵀ‖²/Q².
        """
        positions = activations.shape[1]
        own = tf.cast(activations, tf.float32)
        if self.rows is None or positions > own.shape[2]:
            target = self.matrix()
            difference = tf.matmul(own, own, transpose_a=True) / positions - target
            return tf.reduce_sum(difference**2, axis=[1, 2])
        itself = tf.reduce_sum(tf.matmul(own, own, transpose_b=True) ** 2, axis=[1, 2])
        across = tf.reduce_sum(tf.linalg.matmul(own, self.rows, transpose_b=True) ** 2, axis=[1, 2])
        return itself / positions**2 - 2 * across / (positions * self.positions) + self.square

    def distance_to(self, other: "GramMatrix") -> tf.Tensor:
        """‖G − H‖² of another texture H, float32; what rounding takes below 0 is 0."""
        for target, rows in ((self, other.rows), (other, self.rows)):
            if rows is not None:
                return tf.maximum(target.distance(rows[tf.newaxis])[0], 0)
        return tf.reduce_sum((self.matrix() - other.matrix()) ** 2)

    def matrix(self) -> tf.Tensor:
        """G itself, float32 `[features, features]`."""
        if self.gram is not None:
            return self.gram
        return tf.matmul(self.rows, self.rows, transpose_a=True) / self.positions


class GramAccumulator:
    """Gathers a texture from one tile after the other, so that several layers share a pass."""

    def __init__(self, over: Over) -> None:
        self.over = over
        self._rows: list[tf.Tensor] = []
        self._gram: tf.Tensor | None = None
        self._positions = 0

    def add(self, activations: tf.Tensor) -> None:
        """Take in the activations `[1, …]` of a tile."""
        found = flatten(activations, self.over)[0]
        self._positions += found.shape[0]
        self._rows.append(found)
        if self._gram is None and self._positions <= found.shape[1]:
            return
        for rows in self._rows:
            product = tf.matmul(rows, rows, transpose_a=True)
            self._gram = product if self._gram is None else self._gram + product
        self._rows = []

    def texture(self) -> GramMatrix:
        """The texture of all tiles so far."""
        if self._gram is not None:
            gram = self._gram / self._positions
            return GramMatrix(None, gram, self._positions, tf.reduce_sum(gram**2))
        rows = tf.concat(self._rows, axis=0)
        energy = tf.reduce_sum(tf.matmul(rows, rows, transpose_b=True) ** 2)
        return GramMatrix(rows, None, self._positions, energy / self._positions**2)


def flatten(activations: tf.Tensor, over: Over) -> tf.Tensor:
    """Activations `[batch, (height,) width, channels]` → `[batch, positions, features]`.

    Over channels, every place in the image is a position; over time, every channel at every
    height is one, and the moments are the features.
    """
    if over == "channels":
        return positions(activations)
    time = activations.shape.rank - 2
    last = [axis for axis in range(activations.shape.rank) if axis != time] + [time]
    return positions(tf.transpose(activations, last))


def style(
    layer: str, weight: float, texture: GramMatrix, over: Over, normalize: Literal["gatys", "mse"]
) -> Objective:
    """The distance of a layer's Gram matrix from a texture; give it a minus sign.

    Args:
      layer: whose activations are looked at.
      weight: λ.
      texture: of the style.
      over: what the Gram matrix is over, as in the texture.
      normalize: ``gatys`` for λ/(2·n_h·n_w·n_c)² ΣΣ (Gram_S − Gram_G)², where the Gram matrices are
        sums over n_h·n_w positions (taken as means here, so that lengths may differ); ``mse`` for λ
        times the mean square of the difference of Gram matrices, each over its positions.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style", equations 3 to 5; "On
    the Generation of Music", section 4; "Music generation using style transfer", baseline CNN.
    """

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        own = flatten(activations[layer], over)
        features = own.shape[2]
        scale = 1 / (2 * features) ** 2 if normalize == "gatys" else 1 / features**2
        return weight * scale * texture.distance(own)

    return Objective(f"{weight:g}*style({layer})", frozenset({layer}), value)


def relative(objective: Objective, to: Callable[[tf.Tensor], tf.Tensor]) -> Objective:
    """An objective as a share of what it is for the original's activations, changed by `to`."""

    def precompute(scene: Reference) -> Targets:
        memory = objective.precompute(scene)
        changed = {name: to(activations) for name, activations in scene.original.items()}
        return memory, objective.value(changed, memory)

    def value(activations: Activations, memory: Targets) -> tf.Tensor:
        inner, whole = memory
        return objective.value(activations, inner) / tf.maximum(whole, _TINY)

    return Objective(f"relative({objective.name})", objective.layers, value, precompute)


def total(objectives: Iterable[Objective]) -> Objective:
    """The sum of objectives.

    Raises:
      ConfigError: if there are none.
    """
    result: Objective | None = None
    for objective in objectives:
        result = objective if result is None else result + objective
    if result is None:
        raise ConfigError("no layer has a weight; name at least one")
    return result
