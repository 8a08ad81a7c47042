"""Figures of networks and of what they see and hear: octaves, Gram matrices, autocorrelograms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from tfdream.figures.inputs import Channel, InputAxes
from tfdream.figures.sheet import (
    BLUE,
    LEVEL_MAP,
    VALUE_MAP,
    WIDTH_INCHES,
    check_writable,
    color_bar,
    name,
    power_to_level_db,
    sheet,
)

# A Gram matrix of more features is drawn as so many blocks of them.
_BLOCKS = 400
_GRAM_RANGE_DB = 30.0
_PANEL_INCHES = 3.6
_LONGEST_PANEL_NAME = 40


def octaves(
    views: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    axes: InputAxes,
    output: Path,
    start_seconds: float = 0.0,
) -> None:
    """What a network sees of recordings at each octave of a recipe: one below the other.

    Args:
      views: of each recording, float32 `[height, width, channels]` of each octave, or
        `[length, 1]` of a network that sees no images.
      names: of the recordings, which stand beside each other.
      axes: of the inputs.
      output: the picture.
      start_seconds: where in the recordings the tile begins.

    Source: "Dreaming in Music", section III-C.
    """
    images = views[0][0].ndim == 3
    channels: list[Channel | None] = [*axes.channels] if images else [None]
    columns = len(views) * len(channels)
    width = max(WIDTH_INCHES, _PANEL_INCHES * columns)
    with sheet(output, len(views[0]), columns, width=width) as panels:
        grid = np.reshape(np.array(panels, object), (len(views[0]), columns))
        for row, octave in zip(grid, zip(*views, strict=True), strict=True):
            cells = [(view, number) for view in octave for number in range(len(channels))]
            largest = max(float(view.max()) for view in octave)
            for axis, (view, number) in zip(row, cells, strict=True):
                channel = channels[number]
                if channel is None:
                    _draw_line(axis, view[:, 0], axes, start_seconds)
                else:
                    one = largest if channel.open else channel.one
                    _draw_view(axis, view[..., number], channel, one, axes, start_seconds)
                    name(axis, f"{view.shape[0]} × {view.shape[1]}")
            row[0].set_ylabel(row[0].get_ylabel() or "value")
        for axis, title in zip(grid[0, :: len(channels)], names, strict=True):
            size = axis.get_title()
            name(axis, title, _LONGEST_PANEL_NAME)
            if size:
                axis.set_title(f"{axis.get_title()}\n{size}", parse_math=False)
        if images or axes.steps(())[0].unit == "s":
            for axis in grid[-1]:
                axis.set_xlabel("time / s")


def _draw_view(
    axis: Axes,
    image: np.ndarray,
    channel: Channel,
    highest: float,
    axes: InputAxes,
    start_seconds: float,
) -> None:
    """One channel `[height, width]` of an image, in its own unit."""
    drawn = axis.imshow(
        channel.zero + (channel.one - channel.zero) * image,
        vmin=channel.zero,
        vmax=highest,
        cmap=channel.colors,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(start_seconds, start_seconds + axes.seconds, 0, 1),
    )
    axes.draw_frequencies(axis)
    color_bar(axis, drawn, channel.label)


def _draw_line(axis: Axes, values: np.ndarray, axes: InputAxes, start_seconds: float) -> None:
    step = axes.steps(())[0].size
    axis.plot(start_seconds + step * np.arange(len(values)), values, color=BLUE, linewidth=0.6)
    axis.grid(alpha=0.3)


def grams(matrices: Sequence[Mapping[str, np.ndarray]], names: Sequence[str], output: Path) -> None:
    """Gram matrices of recordings beside each other: which features of a layer go together.

    Colors are levels in dB below the largest dot of a layer, of all recordings. Above each
    matrix is its distance from the last recording's, as a share of that one's norm. Of more than
    400 features, each dot shows the mean of a block.

    Args:
      matrices: of each recording, float32 `[features, features]` by layer.
      names: of the recordings.
      output: the picture.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style".
    """
    check_writable(output)
    layers = list(matrices[-1])
    width = max(WIDTH_INCHES * 0.6, _PANEL_INCHES * len(matrices))
    height = _PANEL_INCHES * len(layers)
    with sheet(output, len(layers), len(matrices), height=height, width=width) as panels:
        axes = iter(panels)
        for layer in layers:
            target = matrices[-1][layer]
            shown = [_blocks(np.abs(each[layer])) for each in matrices]
            largest = max(float(blocks.max()) for blocks in shown)
            norm = max(float(np.linalg.norm(target)), 1e-20)
            for own, blocks, title in zip(matrices, shown, names, strict=True):
                axis = next(axes)
                matrix = own[layer]
                size = len(matrix)
                drawn = axis.imshow(
                    # An entry is a mean of products already: a power.
                    power_to_level_db(blocks, largest, _GRAM_RANGE_DB),
                    vmin=-_GRAM_RANGE_DB,
                    vmax=0,
                    cmap=LEVEL_MAP,
                    interpolation="nearest",
                    extent=(0, size, size, 0),
                )
                name(axis, title, _LONGEST_PANEL_NAME)
                away = float(np.linalg.norm(matrix - target)) / norm
                said = f"{layer}: distance {away:.3g}" if own is not matrices[-1] else layer
                axis.set_title(f"{axis.get_title()}\n{said}", parse_math=False)
                axis.set(xlabel="feature", ylabel="feature")
            axis.figure.colorbar(drawn, ax=axis, label="level / dB", pad=0.02, shrink=0.8)


def _blocks(matrix: np.ndarray) -> np.ndarray:
    """At most 400 × 400 blocks of a matrix, each its mean."""
    count = min(len(matrix), _BLOCKS)
    starts = np.linspace(0, len(matrix), count, endpoint=False).astype(int)
    sizes = np.diff(starts, append=len(matrix))
    sums = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1)
    return sums / np.outer(sizes, sizes)


def autocorrelograms(
    found: Sequence[tuple[np.ndarray, np.ndarray]],
    lag_seconds: float,
    names: Sequence[str],
    output: Path,
) -> None:
    """How onsets repeat in the course of recordings: one above the other.

    Args:
      found: of each recording, where its columns begin and end in seconds `[columns + 1]`, and
        the autocorrelation float32 `[lags, columns]`; that of lag 0 is 1.
      lag_seconds: from one lag to the next.
      names: of the recordings.
      output: the picture.

    Source: "Music generation using style transfer", the classifier on autocorrelograms.
    """
    with sheet(output, len(found)) as axes:
        for axis, (edges, image), title in zip(axes, found, names, strict=True):
            lags = (np.arange(len(image) + 1) - 0.5) * lag_seconds
            mesh = axis.pcolormesh(
                edges, lags, image, vmin=0, vmax=1, cmap=VALUE_MAP, rasterized=True
            )
            axis.set(ylim=(0, lags[-1]), xlim=(0, max(each[0][-1] for each in found)))
            axis.set_ylabel("lag / s")
            name(axis, title)
            color_bar(axis, mesh, "autocorrelation")
        axes[-1].set_xlabel("time / s")
