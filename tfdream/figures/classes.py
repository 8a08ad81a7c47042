"""Number of clips and tracks of each class in a dataset, by fold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tfdream.figures.base import Argument, Drawing, FigureOptions
from tfdream.figures.parts.sheet import VALUE_MAP, new_sheet, shorten

_MAX_LABEL_LENGTH = 32


class Options(FigureOptions):
    """Draw the number of clips and tracks of each class of DATASET, by fold."""

    dataset: Annotated[Path, Argument()]


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot classes`."""
    from tfdream.datasets import manifest

    dataset = manifest.load(options.dataset)
    clips, tracks = dataset.counts_per_fold()
    return Drawing(plot_classes(dataset.labels, dataset.folds, clips, tracks))


def plot_classes(
    labels: Sequence[str],
    folds: Sequence[int],
    clips: NDArray[np.integer[Any]],
    tracks: NDArray[np.integer[Any]],
) -> Figure:
    """Draw the number of clips and tracks of each class as bars, stacked by fold.

    Args:
      labels: names of the classes.
      folds: numbers of the folds.
      clips: number of clips, int `[folds, labels]`.
      tracks: number of tracks, int `[folds, labels]`.

    Source: "Dreaming in Music", its class distribution.
    """
    figure, axes = new_sheet(1, 2, height=1.6 + 0.35 * len(labels))
    colors = matplotlib.colormaps[VALUE_MAP](np.linspace(0, 0.95, len(folds)))
    rows = range(len(labels))
    for axis, unit, counts in zip(axes, ("clips", "tracks"), (clips, tracks), strict=True):
        total = np.zeros(len(labels), int)
        for fold, color, count in zip(folds, colors, counts, strict=True):
            axis.barh(rows, count, left=total, color=color, label=f"fold {fold}")
            total = total + count
        for row, number in zip(rows, total, strict=True):
            axis.annotate(
                str(number), (number, row), (3, 0), textcoords="offset points", va="center"
            )
        axis.set(xlabel=unit, xlim=(0, 1.15 * max(total.max(), 1)))
        axis.set_ylim(len(labels) - 0.5, -0.5)  # the first label on top
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
    shortened = [shorten(label, _MAX_LABEL_LENGTH) for label in labels]
    axes[0].set_yticks(rows, shortened, parse_math=False)
    axes[1].set_yticks(rows, [""] * len(labels))
    handles, names = axes[0].get_legend_handles_labels()
    columns = min(len(folds), 10)
    figure.legend(handles, names, loc="outside upper right", ncols=columns, frameon=False)
    return figure
