"""Confusion matrices and scores per class, drawn by `tfdream evaluate --figure` and others.

With more than `label_axis.MAX_ROWS` labels, cells have no numbers and scores are points instead of
bars, so that size and drawing time hardly depend on the number of labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfdream.figures.parts import label_axis
from tfdream.figures.parts.sheet import BLUE, GREEN, ORANGE, SHARE_MAP, WIDTH_INCHES, new_subplots


def plot_confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> Figure:
    """Draw a confusion matrix: rows are the truth, cells count clips, colors are shares of a row.

    Args:
      labels: in the order of the matrix.
      matrix: clips `[truth, predicted]`.
    """
    figure, (axis,) = new_subplots(1, height=_height(labels), width=_width(labels))
    _draw_confusion(axis, labels, matrix)
    return figure


def plot_scores(
    labels: Sequence[str], matrix: Sequence[Sequence[int]], rows: Sequence[Mapping[str, Any]]
) -> Figure:
    """Draw a confusion matrix, and beside each row recall, precision and F1 of its class.

    Args:
      labels: in the order of the matrix.
      matrix: clips `[truth, predicted]`.
      rows: for each label, with recall, precision, f1 and clips.
    """
    figure, (left, right) = new_subplots(1, 2, height=_height(labels), width=_width(labels))
    _draw_confusion(left, labels, matrix)
    bars = (("recall", BLUE), ("precision", ORANGE), ("f1", GREEN))
    for number, (score, color) in enumerate(bars):
        values = [row[score] for row in rows]
        legend = score.upper() if score == "f1" else score
        if len(rows) > label_axis.MAX_ROWS:
            right.plot(values, range(len(rows)), ".", markersize=4, color=color, label=legend)
            continue
        positions = [index + 0.26 * (number - 1) for index in range(len(rows))]
        right.barh(positions, values, height=0.24, color=color, label=legend)
    right.set_yticks(*label_axis.ticks([f"{row['clips']} clips" for row in rows]))
    right.tick_params(axis="y", length=0)
    right.set(xlim=(0, 1), ylim=left.get_ylim(), xlabel="score")
    right.grid(axis="x", alpha=0.3)
    right.set_axisbelow(True)
    figure.legend(loc="outside upper right", ncols=len(bars), frameon=False)
    return figure


def _height(labels: Sequence[str]) -> float:
    rows = label_axis.scaled_rows(len(labels))
    return 2.0 + max(0.35, 0.6 - 0.01 * rows) * rows


def _width(labels: Sequence[str]) -> float:
    """Return the width in inches; more than a dozen classes need more room for their counts."""
    return WIDTH_INCHES + 0.6 * max(0, label_axis.scaled_rows(len(labels)) - 12)


def _draw_confusion(axis: Axes, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, vmin=0, vmax=1, cmap=SHARE_MAP, aspect="auto")
    few = len(labels) <= 12
    numbered = counts if len(labels) <= label_axis.MAX_ROWS else counts[:0]
    for (row, column), count in np.ndenumerate(numbered):
        color = "black" if shares[row, column] > 0.5 else "white"
        axis.text(
            column,
            row,
            str(count),
            ha="center",
            va="center",
            color=color,
            fontsize=10 if few else 7,
        )
    positions, names = label_axis.ticks(labels)
    angle = 30 if few else 60
    axis.set_xticks(positions, names, rotation=angle, ha="right", parse_math=False)
    axis.set_yticks(positions, names, parse_math=False)
    axis.set_xlabel(label_axis.axis_label("predicted", len(labels)))
    axis.set_ylabel(label_axis.axis_label("truth", len(labels)))
