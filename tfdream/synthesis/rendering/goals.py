"""Comparison of the measure of a goal before and after a change; worse tiles are reverted."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream.synthesis.rendering.measures import Measures, WeightedMeans
from tfdream.synthesis.rendering.processor import Goal, TileProcessor
from tfdream.synthesis.rendering.tiles import Tiles


class GoalCheck:
    """Compares the measure of a processor's goal before and after, tile by tile.

    Args:
      processor: changes the tiles; without a goal, nothing is compared.
      keep_falling: keep the change of tiles whose measure gets worse.
    """

    def __init__(self, processor: TileProcessor, keep_falling: bool) -> None:
        self.processor = processor
        self.goal = processor.goal
        self.reverts = self.goal is not None and self.goal.reverts and not keep_falling
        self.tile_count = self.worse_tiles = 0
        self._worse = WeightedMeans()

    def revert_worse(
        self, tiles: Tiles, changed: NDArray[Any], measures: Measures
    ) -> tuple[NDArray[Any], Measures]:
        """Replace changed tiles, and their measures, by the original where the measure is worse.

        Args:
          tiles: tiles of the original.
          changed: the changed channels.
          measures: the measures of each tile.

        Returns:
          The channels and measures.
        """
        self.tile_count += len(changed)
        if self.goal is None:
            return changed, measures
        before, after = (measures[f"{self.goal.measure}_{when}"] for when in ("before", "after"))
        worse = self.goal.is_worse(before, after)
        if not worse.any():
            return changed, measures
        self.worse_tiles += int(worse.sum())
        self._worse.add({"before": before[worse], "after": after[worse]}, tiles.weights[worse])
        if not self.reverts:
            return changed, measures
        unchanged, original = self.processor.process(tiles, apply=False)
        return np.where(worse[:, np.newaxis, np.newaxis], unchanged, changed), {
            name: np.where(worse, original[name], values) for name, values in measures.items()
        }

    def result(self, means: Mapping[str, Any]) -> dict[str, Any]:
        """Return whether the measure got worse, and the number of tiles that stay unchanged.

        It got worse if it is worse in any tile, or in the written file.

        Args:
          means: mean measures of the file.
        """
        if self.goal is None:
            return {}
        return {
            self.goal.key: bool(self.worse_tiles) or _file_is_worse(self.goal, means),
            "unchanged_tiles": self.worse_tiles if self.reverts else 0,
        }

    def notes(self, means: Mapping[str, Any]) -> Iterator[str]:
        """Yield sentences on a measure that got worse.

        Args:
          means: mean measures of the file.
        """
        if self.goal is None:
            return
        name = self.goal.measure.replace("_", " ")
        if self.worse_tiles:
            worse = self._worse.means()
            yield (
                f"the {name} {'fell' if self.goal.rises else 'rose'} from {worse['before']:.4g} to "
                f"{worse['after']:.4g} in {self.worse_tiles} of {self.tile_count} tiles, which "
                + (
                    f"stay unchanged; {self.goal.remedy}, or --keep-falling"
                    if self.reverts
                    else f"are written nevertheless; {self.goal.remedy}"
                )
            )
        if _file_is_worse(self.goal, means) and (self.reverts or not self.worse_tiles):
            before, rendered = _of_file(self.goal, means)
            yield (
                f"the {name} of the written file, {rendered:.4g}, is worse than that of the "
                f"original, {before:.4g}; {self.goal.remedy}"
            )


def _of_file(goal: Goal, means: Mapping[str, Any]) -> tuple[float, float]:
    """Return the measure of a goal for the original and for the written file."""
    return means[f"{goal.measure}_before"], means[f"{goal.measure}_rendered"]


def _file_is_worse(goal: Goal, means: Mapping[str, Any]) -> bool:
    """Return whether the measure of the written file is worse than that of the original."""
    before, rendered = _of_file(goal, means)
    return bool(goal.is_worse(np.array(before), np.array(rendered)))
