"""Processing of tiles in one pass, without an optimization."""

import abc
import math
from typing import Any

from numpy.typing import NDArray

from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import Goal, OnStep
from tfdream.synthesis.rendering.tiles import Tiles

_REMEDY = "use a smaller style_strength, or another style"


class OnePassProcessor(abc.ABC):
    """Base of the transfers in one pass; with a grid and a rate it is a `TileProcessor`."""

    @property
    def goal(self) -> Goal:
        """The distance to the style falls; single tiles are used whatever their distance."""
        return Goal("style_loss", rises=False, reverts=False, remedy=_REMEDY)

    @property
    def steps(self) -> int:
        """Number of steps for each batch of tiles."""
        return 1

    @abc.abstractmethod
    def change(self, tiles: Tiles) -> NDArray[Any]:
        """Return the changed channels of tiles, float32 `[batch, samples, channels]`."""

    @abc.abstractmethod
    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Return the losses of changed tiles, compared with the original ones."""

    def process(
        self, tiles: Tiles, on_step: OnStep = lambda value, render: None, apply: bool = True
    ) -> tuple[NDArray[Any], Measures]:
        """Change tiles and measure them before and after; see `TileProcessor`."""
        before = after = self.compare(tiles, tiles)
        channels = tiles.channels
        if apply:
            channels = self.change(tiles)
            after = self.compare(tiles, tiles._replace(channels=channels))
            on_step(math.nan, lambda: channels)
        return channels, {
            f"{name}_{when}": values
            for when, losses in (("before", before), ("after", after))
            for name, values in losses.items()
        }
