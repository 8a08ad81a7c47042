"""Interface of processors, which change the tiles of a file, and the goal of a change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfdream.synthesis.rendering.measures import REMEDY, Measures
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles

RenderFn = Callable[[], NDArray[Any]]
"""Returns the channels of the tiles at the current step, float32 `[batch, samples, channels]`."""
OnStep = Callable[[float, RenderFn], bool | None]
"""Receives the objective of each step; returns True to stop with the current result."""

# Relative change of an objective that rounding may cause.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Goal:
    """The measure that a change should improve.

    Attributes:
      measure: its name, without the suffixes _before, _after and _rendered.
      rises: whether higher values are better.
      reverts: whether tiles stay unchanged where it gets worse.
      remedy: what to do if it gets worse.
    """

    measure: str
    rises: bool = True
    reverts: bool = True
    remedy: str = REMEDY

    @property
    def key(self) -> str:
        """Name of the result that states whether it got worse.

        >>> Goal("style_loss", rises=False).key
        'style_loss_rose'
        """
        return f"{self.measure}_{'fell' if self.rises else 'rose'}"

    def is_worse(self, before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where a value is worse than before, beyond rounding.

        >>> Goal("objective").is_worse(np.array([1.0, 1.0]), np.array([0.9, 1.1])).tolist()
        [True, False]
        """
        margin = _ROUNDING * np.abs(before)
        worse: NDArray[np.bool_] = (
            after < before - margin if self.rises else after > before + margin
        )
        return worse


class TileProcessor(Protocol):
    """Interface for processing the tiles of a file."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the tiles in Hz."""

    @property
    def grid(self) -> TileGrid:
        """Positions of the tiles."""

    @property
    def steps(self) -> int:
        """Largest number of steps for each batch of tiles."""

    @property
    def goal(self) -> Goal | None:
        """The measure that should improve; None if the change has no such aim."""

    def process(
        self, tiles: Tiles, on_step: OnStep = ..., apply: bool = ...
    ) -> tuple[NDArray[Any], Measures]:
        """Change tiles and measure the change.

        Args:
          tiles: tiles of the original.
          on_step: called after every step.
          apply: if False, the tiles are only measured and stay unchanged.

        Returns:
          The changed channels, and the measures of each tile.
        """

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure tiles of the written file, compared with those of the original."""
