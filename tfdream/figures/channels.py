"""The parts of recordings that activate the channels of a layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from tfdream.errors import ConfigError
from tfdream.figures.base import AudioFiles, Drawing, FigureOptions, Option
from tfdream.figures.parts.sheet import BLUE, ORANGE, FloatArray, new_subplots, set_title

if TYPE_CHECKING:
    from tfdream.figures.parts.input_axes import InputAxes
    from tfdream.figures.parts.strongest import Moment

_PANEL_INCHES = 2.6
_MAX_CHANNELS = 8
_MAX_TITLE_LENGTH = 26


class Options(FigureOptions):
    """Draw the parts of AUDIO at which the channels of a layer of RUN are most active.

    AUDIO are files or folders. Each row is a channel; its panels show the network's input at the
    strongest moments, at most one of each clip. Without --channel, the eight channels that respond
    most selectively are shown. RUN has an image or raw samples as input.
    """

    audio: AudioFiles
    run: Annotated[Path, Option("--model", "RUN")] = Field(
        description="A run folder, or the name of a preset."
    )
    layer: str | None = Field(
        None, description="Name of the layer; by default the deepest convolution."
    )
    channels: Annotated[tuple[int, ...], Option("--channel", "N")] = Field(
        (), description="Number of a channel, from 0. Repeatable."
    )
    examples: int = Field(4, ge=1, le=16, description="Number of moments of each channel.")


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot channels`."""
    from tfdream.figures.parts.input_axes import InputAxes
    from tfdream.figures.parts.strongest import StrongestMoments
    from tfdream.models import inspect
    from tfdream.runs import Run
    from tfdream.signal.frontends.features import FeatureFrontendConfig
    from tfdream.synthesis.rendering.batch import recordings

    run = Run.open(options.run)
    if isinstance(run.config.frontend, FeatureFrontendConfig):
        raise ConfigError(
            f"the run '{options.run}' has frontend.kind={run.config.frontend.kind}, whose inputs "
            "have no time axis; use a run with an image or raw samples"
        )
    layer = options.layer or inspect.deepest_convolution(run.model)
    strongest = StrongestMoments(run, layer, options.examples)
    for channel in options.channels:
        if not 0 <= channel < strongest.channels:
            raise ConfigError(
                f"--channel={channel} is not one of the {strongest.channels} channels of '{layer}'"
            )
    for path in recordings(options.audio):
        strongest.add(path)
    channels = options.channels or tuple(strongest.most_selective(_MAX_CHANNELS))
    rows = [strongest.of(channel) for channel in channels]
    axes = InputAxes(run.config.frontend, run.sample_rate, run.input_samples)
    figure = plot_channels(layer, channels, rows, strongest.inputs(rows), axes)
    details = [
        {
            "channel": channel,
            "moments": [
                {
                    "path": str(moment.path),
                    "seconds": moment.clip_seconds + moment.seconds,
                    "activation": moment.activation,
                }
                for moment in row
            ],
        }
        for channel, row in zip(channels, rows, strict=True)
    ]
    return Drawing(figure, {"layer": layer, "channels": details})


def plot_channels(
    layer: str,
    channels: Sequence[int],
    rows: "Sequence[Sequence[Moment]]",
    inputs: Sequence[NDArray[Any]],
    axes: "InputAxes",
) -> Figure:
    """Draw the network's inputs at the strongest moments of channels, a row for each channel.

    Args:
      layer: name of the layer.
      channels: numbers of the channels.
      rows: the moments of each channel, the strongest first.
      inputs: the inputs of each channel's clips, float32 `[moments, height, width, channels]`, or
        `[moments, length, 1]` if they are not images.
      axes: axes of the inputs.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", figure 2
    (strongest activations of a channel).
    """
    columns = max(len(row) for row in rows)
    figure, panels = new_subplots(len(rows), columns, width=_PANEL_INCHES * columns)
    grid = np.reshape(np.array(panels, object), (len(rows), columns))
    figure.suptitle(f"strongest moments of the channels of {layer}", parse_math=False)
    for line, channel, row, clips in zip(grid, channels, rows, inputs, strict=True):
        for axis, moment, clip in zip(line, row, clips, strict=False):
            _draw_input(axis, clip, moment, axes)
            name = f"{channel}: {moment.path.name}"
            set_title(axis, name, _MAX_TITLE_LENGTH)
        for axis in line[len(row) :]:
            axis.remove()
        for axis in line[1:]:
            axis.set_yticks([])
            axis.set_ylabel("")
    for axis in grid[-1]:
        axis.set_xlabel("time / s")
    return figure


def _draw_input(axis: Axes, clip: FloatArray, moment: "Moment", axes: "InputAxes") -> None:
    """Draw the input of one clip over the recording's time, and mark the moment."""
    start, end = moment.clip_seconds, moment.clip_seconds + axes.seconds
    if clip.ndim == 2:
        axis.plot(np.linspace(start, end, len(clip)), clip[:, 0], color=BLUE, linewidth=0.6)
        axis.set_xlim(start, end)
    else:
        channel = axes.channels[0]
        axis.imshow(
            clip[..., 0],
            vmin=0,
            vmax=float(clip[..., 0].max()) if channel.unbounded else 1,
            cmap=channel.color_map,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(start, end, 0, 1),
        )
        axes.draw_frequencies(axis)
    axis.axvline(start + moment.seconds, color=ORANGE, linewidth=1)
