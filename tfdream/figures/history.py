"""Curves of a training over its epochs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfdream.errors import ModelError, one_line
from tfdream.figures.base import Argument, Drawing, FigureOptions
from tfdream.figures.parts.sheet import legend_name, new_subplots, number_from_one, set_title
from tfdream.io.atomic import read_csv
from tfdream.runs.info import JUDGE_COLUMN

# Panels: label of the axis → columns of the table → legends.
_CLASSIFICATION = {
    label: {name: "training", f"val_{name}": "validation"}
    for label, name in (("loss", "loss"), ("accuracy", "accuracy"), ("macro F1", "macro_f1"))
}
_TRANSLATION = {
    **{
        label: {f"{name}_forward": "forward", f"{name}_backward": "backward"}
        for label, name in (
            ("generators", "generator"), ("discriminators", "discriminator"), ("spread", "spread"),
        )
    },
    **{
        label: {
            f"{prefix}{name}": f"{name}, {kind}"
            for name in names
            for prefix, kind in (("", "training"), ("val_", "validation"))
        }
        for label, names in (
            ("mean difference", ("cycle", "identity", "onsets")),
            ("contrastive loss", ("contrastive",)),
            ("feature matching", ("features",)),
        )
    },
}  # fmt: skip
_OPTIONAL = ("cycle", "identity", "val_cycle", "val_identity")
"""Columns that are 0 in every epoch if the loss has no weight."""


class Options(FigureOptions):
    """Draw loss, accuracy and macro F1 of RUN over the epochs."""

    run: Annotated[Path, Argument()]


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot history`."""
    return Drawing(plot_history(options.run))


def plot_history(run_folder: str | Path) -> Figure:
    """Draw loss, accuracy and macro F1 per epoch, on the training and on the validation clips.

    For a translation, the figure shows the losses of generators and discriminators, the spread of
    the translations, the losses that have a weight, and the share of clips that a judge assigned to
    each label, if there was one.

    Raises:
      ModelError: if the run has no history yet, or a damaged one.
    """
    folder = Path(run_folder)
    rows, judged = (read_table(folder / f"{table}.csv") for table in ("history", "judged"))
    if not rows:
        raise ModelError(f"'{folder}' has no history.csv; train at least one epoch")
    table = _TRANSLATION if "cycle" in rows[0] else _CLASSIFICATION
    rows = without_unused(rows)
    panels = {
        label: columns for label, columns in table.items() if not columns.keys().isdisjoint(rows[0])
    }
    figure, axes = new_subplots(len(panels) + bool(judged))
    for axis, (label, columns) in zip(axes, panels.items(), strict=False):
        draw_curves(axis, label, rows, columns)
    if judged:
        shares = [column for column in judged[0] if column.startswith("share_to_")]
        legends = {column: column[9:].replace("_", " ") for column in shares}
        draw_curves(axes[-1], "judged as", judged, legends)
        axes[-1].set_ylim(0, 1)
    set_title(axes[0], folder.resolve().name)
    axes[-1].set_xlabel("epoch")
    for axis in axes:
        number_from_one(axis, len(rows))
    return figure


def without_unused(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Leave out optional losses without a weight."""
    unused = {name for name in _OPTIONAL if not any(row.get(name) for row in rows)}
    return [{name: row[name] for name in row if name not in unused} for row in rows]


def read_table(path: Path) -> list[dict[str, float]]:
    """Read a table with one row per epoch; empty cells become NaN.

    Raises:
      ModelError: if it is damaged.
    """
    try:
        rows = [
            {column: float(cell or "nan") for column, cell in row.items() if column != JUDGE_COLUMN}
            for row in read_csv(path)
        ]
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"'{path}' is damaged: {one_line(error)}") from None
    if rows and "epoch" not in rows[0]:
        raise ModelError(f"'{path}' is damaged: it has no column 'epoch'")
    return rows


def draw_curves(
    axis: Axes, label: str, rows: Sequence[Mapping[str, float]], legends: Mapping[str, str]
) -> None:
    """Draw the columns of a table that exist over the epochs, with their legends."""
    epochs = [row["epoch"] for row in rows]
    for column, legend in legends.items():
        if column in rows[0]:
            values = [row[column] for row in rows]
            axis.plot(epochs, values, marker=".", label=legend_name(legend))
    axis.set_ylabel(label)
    axis.grid(alpha=0.3)
    if axis.lines:
        axis.legend(fontsize="small")
