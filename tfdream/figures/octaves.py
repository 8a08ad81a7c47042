"""The model input of a dream's tile at each octave."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from tfdream import config
from tfdream.config.base import NotNegative
from tfdream.figures.base import AudioFigureOptions, Drawing, Option, Overrides, Recipe, overridden
from tfdream.figures.parts.sheet import (
    BLUE,
    WIDTH_INCHES,
    FloatArray,
    add_color_bar,
    new_subplots,
    set_title,
)
from tfdream.figures.parts.units import Channel

if TYPE_CHECKING:
    from tfdream.figures.parts.input_axes import InputAxes

_PANEL_INCHES = 3.6
_MAX_TITLE_LENGTH = 40


class Options(AudioFigureOptions):
    """Draw the model input of RUN for a tile of AUDIO at each octave of a dream.

    Several AUDIO files, such as before and after, are drawn beside each other.
    """

    run: Annotated[Path, Option("--model", "RUN")] = Field(
        description="A run folder, or the name of a preset."
    )
    recipe: Recipe = "dream/dreaming_in_music"
    start: NotNegative = Field(0.0, description="Start of the tile, in seconds.")
    overrides: Overrides = overridden("octaves.count=3")


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot octaves`."""
    from tfdream.figures.parts.input_axes import InputAxes
    from tfdream.runs import Run
    from tfdream.synthesis.tile_optimizer import octave_views

    recipe = config.load(options.recipe, config.DreamConfig, options.overrides)
    run = Run.open(options.run)
    views = [octave_views(path, run, recipe, options.start) for path in options.audio]
    samples = recipe.tiles.samples(run.sample_rate, run.input_samples)
    axes = InputAxes(run.config.frontend, run.sample_rate, samples)
    figure = plot_octaves(views, options.names, axes, options.start)
    return Drawing(figure, {"shapes": [list(view.shape) for view in views[0]]})


def plot_octaves(
    views: Sequence[Sequence[FloatArray]],
    titles: Sequence[str],
    axes: "InputAxes",
    start_seconds: float = 0.0,
) -> Figure:
    """Draw model inputs of audio files at each octave of a recipe, one octave below the other.

    Args:
      views: for each file and octave, float32 `[height, width, channels]`, or `[length, 1]` if the
        model input is not an image.
      titles: titles of the files, which are drawn beside each other.
      axes: axes of the inputs.
      start_seconds: start of the tile in the files.

    Source: "Dreaming in Music", section III-C.
    """
    images = views[0][0].ndim == 3
    channels: list[Channel | None] = [*axes.channels] if images else [None]
    columns = len(views) * len(channels)
    width = max(WIDTH_INCHES, _PANEL_INCHES * columns)
    figure, panels = new_subplots(len(views[0]), columns, width=width)
    grid = np.reshape(np.array(panels, object), (len(views[0]), columns))
    for row, octave in zip(grid, zip(*views, strict=True), strict=True):
        cells = [(view, number) for view in octave for number in range(len(channels))]
        peak = max(float(view.max()) for view in octave)
        for axis, (view, number) in zip(row, cells, strict=True):
            channel = channels[number]
            if channel is None:
                _draw_line(axis, view[:, 0], axes, start_seconds)
            else:
                highest = peak if channel.unbounded else channel.one
                _draw_image(axis, view[..., number], channel, highest, axes, start_seconds)
                set_title(axis, f"{view.shape[0]} × {view.shape[1]}")
        row[0].set_ylabel(row[0].get_ylabel() or "value")
    for axis, title in zip(grid[0, :: len(channels)], titles, strict=True):
        size = axis.get_title()
        set_title(axis, title, _MAX_TITLE_LENGTH)
        if size:
            axis.set_title(f"{axis.get_title()}\n{size}", parse_math=False)
    if images or axes.spacings(())[0].unit == "s":
        for axis in grid[-1]:
            axis.set_xlabel("time / s")
    return figure


def _draw_image(
    axis: Axes,
    image: FloatArray,
    channel: Channel,
    highest: float,
    axes: "InputAxes",
    start_seconds: float,
) -> None:
    """Draw one channel `[height, width]` of an image, in the channel's unit."""
    drawn = axis.imshow(
        channel.zero + (channel.one - channel.zero) * image,
        vmin=channel.zero,
        vmax=highest,
        cmap=channel.color_map,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(start_seconds, start_seconds + axes.seconds, 0, 1),
    )
    axes.draw_frequencies(axis)
    add_color_bar(axis, drawn, channel.label)


def _draw_line(axis: Axes, values: FloatArray, axes: "InputAxes", start_seconds: float) -> None:
    spacing = axes.spacings(())[0].size
    times = start_seconds + spacing * np.arange(len(values))
    axis.plot(times, values, color=BLUE, linewidth=0.6)
    axis.grid(alpha=0.3)
