"""Losses of several models that change one recording."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfdream.errors import ModelError
from tfdream.figures.history import draw_curves, read_table, without_unused
from tfdream.figures.parts.sheet import new_subplots, number_from_one, set_title

# Columns of a CycleGAN's history → legends.
_TRAINING = {
    "generator_forward": "generator, forward",
    "generator_backward": "generator, backward",
    "discriminator_forward": "discriminator, forward",
    "discriminator_backward": "discriminator, backward",
    "cycle": "cycle difference",
}


def plot_losses(
    curves: Mapping[str, Sequence[float]], trained: Mapping[str, str | Path] | None = None
) -> Figure:
    """Draw the losses of several models.

    Losses of different networks have no common unit, so the curves are divided by their first
    values. Models that were trained before, instead of optimizing, get a panel each, with the
    losses of their training over the epochs.

    Args:
      curves: the loss at each step, by the name of the model; empty ones are left out.
      trained: run folders of CycleGANs, by the name of the model; required without a curve.

    Raises:
      ModelError: if a run has no history, or a damaged one.

    Source: "Music Generation using Style Transfer", figures 14 to 17.
    """
    trained = trained or {}
    shown = {name: losses for name, losses in curves.items() if len(losses)}
    figure, axes = new_subplots(bool(shown) + len(trained))
    panels = iter(axes)
    if shown:
        _draw_relative(next(panels), shown)
    for name, folder in trained.items():
        axis = next(panels)
        rows = read_table(Path(folder) / "history.csv")
        if not rows:
            raise ModelError(f"'{folder}' has no history.csv; train at least one epoch")
        draw_curves(axis, "loss", without_unused(rows), _TRAINING)
        set_title(axis, f"{name}: training")
        axis.set_xlabel("epoch")
        number_from_one(axis, len(rows))
    return figure


def _draw_relative(axis: Axes, curves: Mapping[str, Sequence[float]]) -> None:
    for name, losses in curves.items():
        first = losses[0] or 1.0
        axis.plot(
            range(1, len(losses) + 1),
            [loss / first for loss in losses],
            linewidth=1,
            label=name.replace("$", r"\$"),
        )
    positive = all(min(losses) > 0 for losses in curves.values())
    axis.set(
        xlabel="step",
        ylabel="loss / first loss",
        yscale="log" if positive else "linear",
    )
    number_from_one(axis, max(map(len, curves.values())))
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
