"""Number of clips and tracks of each class in a dataset, by fold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tfdream.figures.base import Argument, Drawing, FigureOptions
from tfdream.figures.parts import label_axis
from tfdream.figures.parts.sheet import VALUE_MAP, new_subplots


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

    With more than `label_axis.MAX_ROWS` classes, the bars touch and have no numbers.

    Args:
      labels: names of the classes.
      folds: numbers of the folds.
      clips: number of clips, int `[folds, labels]`.
      tracks: number of tracks, int `[folds, labels]`.

    Source: "Dreaming in Music", its class distribution.
    """
    many = len(labels) > label_axis.MAX_ROWS
    figure, axes = new_subplots(1, 2, height=1.6 + 0.35 * label_axis.scaled_rows(len(labels)))
    colors = matplotlib.colormaps[VALUE_MAP](np.linspace(0, 0.95, len(folds)))
    rows = range(len(labels))
    for axis, unit, counts in zip(axes, ("clips", "tracks"), (clips, tracks), strict=True):
        total = np.zeros(len(labels), int)
        for fold, color, count in zip(folds, colors, counts, strict=True):
            if many:
                _draw_touching_bars(axis, total, count, color, f"fold {fold}")
            else:
                axis.barh(rows, count, left=total, color=color, label=f"fold {fold}")
            total = total + count
        if not many:
            for row, number in enumerate(total):
                axis.annotate(
                    str(number), (number, row), (3, 0), textcoords="offset points", va="center"
                )
        axis.set(xlabel=unit, xlim=(0, 1.15 * max(total.max(), 1)))
        axis.set_ylim(len(labels) - 0.5, -0.5)  # the first label on top
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
    positions, names = label_axis.ticks(labels)
    axes[0].set_yticks(positions, names, parse_math=False)
    axes[0].set_ylabel(label_axis.axis_label("", len(labels)).strip())
    axes[1].set_yticks(positions, [""] * len(names))
    handles, fold_names = axes[0].get_legend_handles_labels()
    columns = min(len(folds), 10)
    figure.legend(handles, fold_names, loc="outside upper right", ncols=columns, frameon=False)
    return figure


def _draw_touching_bars(
    axis: Axes, left: NDArray[Any], widths: NDArray[Any], color: Any, name: str
) -> None:
    """Draw horizontal bars as one shape: thousands of rectangles would take minutes."""
    edges = np.arange(len(widths) + 1) - 0.5
    axis.stairs(
        left + widths,
        edges,
        baseline=left,
        orientation="horizontal",
        fill=True,
        color=color,
        label=name,
    )
