"""Processing of tiles with settings that vary from tile to tile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream.config import RenderConfig
from tfdream.config.curves import with_values
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import Goal, OnStep, TileProcessor
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles
from tfdream.synthesis.rendering.timelines import Timelines

_LEVELS = 101
"""Number of equally spaced values to which a setting that is constant within a tile is rounded."""


@dataclass(frozen=True)
class Adjustment:
    """Settings for which an existing processor is adjusted, instead of a new one being built.

    Building a processor compiles functions, which takes longer than the processing of a tile.

    Attributes:
      settings: dotted keys of settings or sections.
      apply: a processor, and a recipe that differs in these settings alone → the processor of that
        recipe.
    """

    settings: tuple[str, ...] = ()
    apply: Callable[[Any, Any], TileProcessor] = lambda processor, config: processor

    def includes(self, name: str) -> bool:
        """Return whether a setting is one of them, or in one of the sections.

        >>> Adjustment(("optimizer",)).includes("optimizer.steps")
        True
        """
        return any(name == each or name.startswith(f"{each}.") for each in self.settings)


NO_ADJUSTMENT = Adjustment()


class CurvedProcessor:
    """Changes each tile with its own settings; a `rendering.processor.TileProcessor`.

    Settings have the value at the middle of a tile. Neighbors are cross-faded, as tiles always are.

    Args:
      config: the recipe.
      timelines: its curves; those of `by_tile` are evaluated.
      build: builds the processor of given settings.
      adjustment: settings that need no new call of `build`.
    """

    def __init__(
        self,
        config: RenderConfig,
        timelines: Timelines,
        build: Callable[[Any], TileProcessor],
        adjustment: Adjustment = NO_ADJUSTMENT,
    ) -> None:
        self.config = config
        self.lines = timelines.by_tile
        self._build = build
        self._adjustment = adjustment
        self._processors: dict[tuple[float, ...], TileProcessor] = {}
        # With the highest values, so that the number of steps is the largest one.
        self.base = self._processor({name: line.high for name, line in self.lines.items()})
        self.grid: TileGrid = replace(self.base.grid, batch=1)

    @property
    def sample_rate(self) -> int:
        return self.base.sample_rate

    @property
    def steps(self) -> int:
        return self.base.steps

    @property
    def goal(self) -> Goal | None:
        return self.base.goal

    def process(
        self, tiles: Tiles, on_step: OnStep = lambda value, render: None, apply: bool = True
    ) -> tuple[NDArray[Any], Measures]:
        """Change a tile; see `TileProcessor`."""
        return self._at(tiles).process(tiles, on_step, apply)

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure a tile; see `TileProcessor`."""
        return self._at(original).compare(original, changed)

    def _at(self, tiles: Tiles) -> TileProcessor:
        middle = (tiles.starts[0] + self.grid.samples / 2) / self.sample_rate
        return self._processor({name: float(line(middle)) for name, line in self.lines.items()})

    def _processor(self, values: Mapping[str, float]) -> TileProcessor:
        """Return the processor of some values, rounded so that few different ones are built."""
        rounded = {}
        for name, value in values.items():
            low, high = self.lines[name].low, self.lines[name].high
            step = (high - low) / (_LEVELS - 1) or 1.0
            rounded[name] = float(np.clip(low + step * round((value - low) / step), low, high))
        try:
            config = with_values(self.config, rounded)
        except ValueError:  # values that depend on each other, such as the limits of a range
            rounded = dict(values)
            config = with_values(self.config, rounded)
        key = tuple(value for name, value in rounded.items() if not self._adjustment.includes(name))
        if key not in self._processors:
            self._processors[key] = self._build(config)
        return self._adjustment.apply(self._processors[key], config)


def curved(
    config: RenderConfig,
    timelines: Timelines,
    build: Callable[[Any], TileProcessor],
    adjustment: Adjustment = NO_ADJUSTMENT,
) -> TileProcessor:
    """Build a processor of tiles, with settings of each tile if some vary from tile to tile.

    Args:
      config: the recipe.
      timelines: its curves.
      build: builds the processor of given settings.
      adjustment: settings that need no new call of `build`.
    """
    if not timelines.by_tile:
        return build(config)
    return CurvedProcessor(config, timelines, build, adjustment)
