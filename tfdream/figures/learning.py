"""Figures of datasets and training: classes, curves over epochs, confusion."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tfdream.errors import ModelError
from tfdream.figures.sheet import (
    BLUE,
    GREEN,
    ORANGE,
    SHARE_MAP,
    VALUE_MAP,
    WIDTH_INCHES,
    name,
    sheet,
    shortened,
)
from tfdream.io.atomic import read_csv

# What `history` draws: labels of the axes, columns and their legends.
_CLASSIFICATION = {
    name: {name: "training", f"val_{name}": "validation"} for name in ("loss", "accuracy")
}
_TRANSLATION = {
    **{
        f"{role}s": {f"{role}_forward": "forward", f"{role}_backward": "backward"}
        for role in ("generator", "discriminator")
    },
    "mean difference": {
        f"{prefix}{name}": f"{name}, {kind}"
        for name in ("cycle", "identity")
        for prefix, kind in (("", "training"), ("val_", "validation"))
    },
}
_LONGEST_LABEL = 32


def history(run_folder: Path, output: Path) -> None:
    """What `train` noted per epoch: loss and accuracy, in training and validation.

    Of a translation: what the discriminators tell the generators, how they fare themselves, how far
    images there and back are from what they were, and what a judge heard, if there was one.

    Raises:
      ModelError: if the run has no history yet, or a damaged one.
    """
    rows, judged = (_numbers(run_folder / f"{table}.csv") for table in ("history", "judged"))
    if not rows:
        raise ModelError(f"'{run_folder}' has no history.csv; train at least one epoch")
    panels = _TRANSLATION if "cycle" in rows[0] else _CLASSIFICATION
    with sheet(output, len(panels) + bool(judged)) as axes:
        for axis, (label, columns) in zip(axes, panels.items(), strict=False):
            _draw_curves(axis, label, rows, columns)
        if judged:
            shares = [column for column in judged[0] if column.startswith("share_to_")]
            legends = {column: column[9:].replace("_", " ") for column in shares}
            _draw_curves(axes[-1], "judged as", judged, legends)
            axes[-1].set_ylim(0, 1)
        name(axes[0], run_folder.resolve().name)
        axes[-1].set_xlabel("epoch")
        for axis in axes:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _numbers(path: Path) -> list[dict[str, float]]:
    """The rows of a table per epoch; an empty cell is no number."""
    try:
        rows = [
            {column: float(cell or "nan") for column, cell in row.items()} for row in read_csv(path)
        ]
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"'{path}' is damaged: {' '.join(str(error).split())}") from None
    if rows and "epoch" not in rows[0]:
        raise ModelError(f"'{path}' is damaged: it has no column 'epoch'")
    return rows


def _draw_curves(
    axis: Axes, label: str, rows: Sequence[Mapping[str, float]], columns: Mapping[str, str]
) -> None:
    """Columns over epochs, as far as they are there, by the names of their legends."""
    epochs = [row["epoch"] for row in rows]
    for column, legend in columns.items():
        if column in rows[0]:
            values = [row[column] for row in rows]
            axis.plot(epochs, values, marker=".", label=legend.replace("$", r"\$"))
    axis.set_ylabel(label)
    axis.grid(alpha=0.3)
    if axis.lines:
        axis.legend(fontsize="small")


def classes(
    labels: Sequence[str],
    folds: Sequence[int],
    clips: np.ndarray,
    tracks: np.ndarray,
    output: Path,
) -> None:
    """How many clips and tracks each class has, stacked by fold.

    Args:
      labels: of the classes.
      folds: their numbers.
      clips, tracks: int `[folds, labels]`.
      output: the picture.

    Source: "Dreaming in Music", its class distribution.
    """
    height = 1.6 + 0.35 * len(labels)
    with sheet(output, 1, 2, height=height) as axes:
        colors = matplotlib.colormaps[VALUE_MAP](np.linspace(0, 0.95, len(folds)))
        places = range(len(labels))
        for axis, unit, counts in zip(axes, ("clips", "tracks"), (clips, tracks), strict=True):
            begun = np.zeros(len(labels), int)
            for fold, color, count in zip(folds, colors, counts, strict=True):
                axis.barh(places, count, left=begun, color=color, label=f"fold {fold}")
                begun = begun + count
            for place, total in zip(places, begun, strict=True):
                axis.annotate(
                    str(total), (total, place), (3, 0), textcoords="offset points", va="center"
                )
            axis.set(xlabel=unit, xlim=(0, 1.15 * max(begun.max(), 1)))
            axis.set_ylim(len(labels) - 0.5, -0.5)  # the first on top
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.grid(axis="x", alpha=0.3)
            axis.set_axisbelow(True)
        axes[0].set_yticks(places, _ticks(labels), parse_math=False)
        axes[1].set_yticks(places, [""] * len(labels))
        figure = axes[0].figure
        assert figure is not None
        handles, names = axes[0].get_legend_handles_labels()
        columns = min(len(folds), 10)
        figure.legend(handles, names, loc="outside upper right", ncols=columns, frameon=False)


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]], output: Path) -> None:
    """A confusion matrix: rows are the truth, cells count clips, colors are shares of a row."""
    with sheet(output, 1, height=_height(labels), width=_width(labels)) as (axis,):
        _draw_confusion(axis, labels, matrix)


def per_class(
    labels: Sequence[str],
    matrix: Sequence[Sequence[int]],
    rows: Sequence[Mapping[str, Any]],
    output: Path,
) -> None:
    """A confusion matrix, and beside each row recall, precision and F1 of its class.

    Args:
      labels: in the order of the matrix.
      matrix: clips, rows are the truth.
      rows: for each label, with recall, precision, f1 and clips.
      output: the picture.
    """
    with sheet(output, 1, 2, height=_height(labels), width=_width(labels)) as (left, right):
        _draw_confusion(left, labels, matrix)
        bars = (("recall", BLUE), ("precision", ORANGE), ("f1", GREEN))
        for number, (score, color) in enumerate(bars):
            places = [index + 0.26 * (number - 1) for index in range(len(rows))]
            values = [row[score] for row in rows]
            legend = score.upper() if score == "f1" else score
            right.barh(places, values, height=0.24, color=color, label=legend)
        counts = [f"{row['clips']} clips" for row in rows]
        right.set_yticks(range(len(rows)), counts)
        right.tick_params(axis="y", length=0)
        right.set(xlim=(0, 1), ylim=left.get_ylim(), xlabel="score")
        right.grid(axis="x", alpha=0.3)
        right.set_axisbelow(True)
        assert right.figure is not None
        right.figure.legend(loc="outside upper right", ncols=len(bars), frameon=False)


def _height(labels: Sequence[str]) -> float:
    return 2.0 + max(0.35, 0.6 - 0.01 * len(labels)) * len(labels)


def _width(labels: Sequence[str]) -> float:
    """More for more than a dozen classes, so that their counts stay apart."""
    return WIDTH_INCHES + 0.6 * max(0, len(labels) - 12)


def _draw_confusion(axis: Axes, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, vmin=0, vmax=1, cmap=SHARE_MAP, aspect="auto")
    size = 10 if len(labels) <= 12 else 7
    for (row, column), count in np.ndenumerate(counts):
        color = "black" if shares[row, column] > 0.5 else "white"
        axis.text(column, row, str(count), ha="center", va="center", color=color, fontsize=size)
    ticks = _ticks(labels)
    turn = 30 if len(labels) <= 12 else 60
    axis.set_xticks(range(len(labels)), ticks, rotation=turn, ha="right", parse_math=False)
    axis.set_yticks(range(len(labels)), ticks, parse_math=False)
    axis.set(xlabel="heard as", ylabel="truth")


def _ticks(labels: Sequence[str]) -> list[str]:
    return [shortened(label, _LONGEST_LABEL) for label in labels]
