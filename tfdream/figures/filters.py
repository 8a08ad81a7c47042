"""Filters of a model's convolutions, and their frequency responses."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from tfdream.figures.base import Argument, Drawing, FigureOptions, Option
from tfdream.figures.parts.sheet import (
    BLUE,
    LEVEL_MAP,
    ORANGE,
    WIDTH_INCHES,
    FloatArray,
    new_figure,
    power_to_level_db,
)
from tfdream.figures.parts.units import Spacing

if TYPE_CHECKING:
    from tfdream.models.inspect import Convolution

_MAX_FILTERS = 8
_RANGE_DB = 60.0
_IMAGE_RANGE_DB = 30.0
_POINTS = 1024
_IMAGE_POINTS = 64
_KERNEL_MAP = "RdBu_r"  # diverging: zero is white


class Options(FigureOptions):
    """Draw the filters of the convolutions of RUN, and their frequency responses.

    Of a layer with more than eight filters, the eight strongest are shown.
    """

    run: Annotated[Path, Argument()]
    layers: Annotated[tuple[str, ...], Option("--layer")] = Field(
        (), description="A convolution, repeatable; by default all."
    )


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot filters`."""
    from tfdream.figures.parts.input_axes import InputAxes
    from tfdream.models import inspect
    from tfdream.runs import Run

    run = Run.open(options.run)
    convolutions = inspect.convolutions(run.model, options.layers)
    axes = InputAxes(run.config.frontend, run.sample_rate, run.input_samples)
    spacings = axes.spacings(run.frontend.shape(run.input_samples))
    kernels = [Kernels.from_convolution(each, spacings) for each in convolutions]
    return Drawing(plot_filters(kernels), {"layers": [each.name for each in convolutions]})


class Kernels(NamedTuple):
    """The filters of one convolution.

    Attributes:
      layer: name of the layer.
      weights: float32 `[length, inputs, filters]` or `[height, width, inputs, filters]`.
      spacings: spacing of the layer's input, along each axis of a kernel.
    """

    layer: str
    weights: FloatArray
    spacings: tuple[Spacing, ...]

    @classmethod
    def from_convolution(cls, convolution: "Convolution", spacings: Sequence[Spacing]) -> "Kernels":
        """Return the filters of a convolution in a model whose input has these spacings."""
        weights, strides = convolution.kernel, convolution.strides
        in_layer = (Spacing(1, "taps"),) * (weights.ndim - 2)
        if strides is not None and len(strides) == len(in_layer):
            pairs = zip(spacings, strides, strict=True)
            in_layer = tuple(Spacing(each.size * stride, each.unit) for each, stride in pairs)
        return cls(convolution.name, weights, in_layer)


def plot_filters(kernels: Sequence[Kernels]) -> Figure:
    """Draw the filters of convolutions, each above its frequency response.

    Of a filter with several inputs, the kernel of the strongest is shown; of a layer with more than
    eight filters, the eight strongest, by their norm. Responses of one-dimensional filters are
    gains in dB over the frequencies of the layer's input; those of two-dimensional ones are levels
    below the layer's largest gain, over both modulation frequencies.

    Source: "Music Style Classification and Transformation", chapter 5.
    """
    figure = new_figure(3.3 * len(kernels), WIDTH_INCHES * 1.3)
    if not kernels:
        return figure
    parts = figure.subfigures(len(kernels), 1, squeeze=False)[:, 0]
    for part, each in zip(parts, kernels, strict=True):
        shown = strongest(each.weights)
        part.suptitle(_heading(each, len(shown)), parse_math=False, fontsize="medium")
        # A layer of few filters leaves the rest of the row empty.
        grid = part.subplots(2, _MAX_FILTERS, squeeze=False)
        for axis in grid[:, len(shown) :].flat:
            axis.remove()
        draw_kernels = _draw_lines if each.weights.ndim == 3 else _draw_images
        draw_kernels(part, grid[:, : len(shown)], each, shown)
    return figure


def strongest(weights: FloatArray) -> list[tuple[int, FloatArray]]:
    """Return at most eight filters in order: number, and kernel of the strongest input."""
    energy = (weights**2).sum(axis=tuple(range(weights.ndim - 2)))  # [inputs, filters]
    largest = np.sort(np.argsort(-energy.sum(axis=0), kind="stable")[:_MAX_FILTERS])
    return [(int(one), weights[..., energy[:, one].argmax(), one]) for one in largest]


def response_db(kernel: FloatArray, spacing: Spacing) -> tuple[FloatArray, FloatArray]:
    """Return frequencies in cycles per unit and gains in dB of a kernel `[length]`."""
    points = max(_POINTS, len(kernel))
    gain = np.abs(np.fft.rfft(kernel, points))
    return np.fft.rfftfreq(points, spacing.size), 20 * np.log10(np.maximum(gain, 1e-10))


def _heading(kernels: Kernels, shown: int) -> str:
    *size, inputs, count = kernels.weights.shape
    which = f"{count} filters" if shown == count else f"the {shown} strongest of {count} filters"
    extent = " × ".join(
        f"{taps * spacing.in_ms.size:.4g} {spacing.in_ms.unit}"
        for taps, spacing in zip(size, kernels.spacings, strict=True)
    )
    text = f"{kernels.layer}: {which} of {' × '.join(map(str, size))} taps ({extent})"
    return text if inputs == 1 else f"{text}, of the strongest of {inputs} inputs each"


def _draw_lines(
    part: Any, grid: NDArray[np.object_], kernels: Kernels, shown: Sequence[tuple[int, FloatArray]]
) -> None:
    (spacing,) = kernels.spacings
    largest = max(float(np.abs(kernel).max()) for _, kernel in shown) or 1.0
    responses = [response_db(kernel, spacing) for _, kernel in shown]
    peak_db = max(float(gain_db.max()) for _, gain_db in responses)
    for (above, below), (number, kernel), (cycles, gain_db) in zip(
        grid.T, shown, responses, strict=True
    ):
        above.plot(spacing.in_ms.size * np.arange(len(kernel)), kernel, color=BLUE, linewidth=0.9)
        above.set_title(str(number), fontsize="small")
        below.plot(cycles, gain_db, color=ORANGE, linewidth=0.9)
        above.axhline(0, color="black", linewidth=0.4)
        above.set_ylim(-1.05 * largest, 1.05 * largest)
        below.axhline(0, color="black", linewidth=0.4)
        below.set_ylim(peak_db - _RANGE_DB, peak_db + 3)
    _label(grid, (spacing.in_ms.label, "weight"), (spacing.frequency_label, "gain / dB"))


def _draw_images(
    part: Any, grid: NDArray[np.object_], kernels: Kernels, shown: Sequence[tuple[int, FloatArray]]
) -> None:
    height, width = kernels.spacings
    largest = max(float(np.abs(kernel).max()) for _, kernel in shown) or 1.0
    gains = [_response_image(kernel) for _, kernel in shown]
    peak = max(float(gain.max()) for gain in gains)
    style: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    for (above, below), (number, kernel), gain in zip(grid.T, shown, gains, strict=True):
        rows, columns = kernel.shape
        drawn = above.imshow(
            kernel,
            vmin=-largest,
            vmax=largest,
            cmap=_KERNEL_MAP,
            extent=(0, columns * width.in_ms.size, 0, rows * height.in_ms.size),
            **style,
        )
        above.set_title(str(number), fontsize="small")
        image = below.imshow(
            power_to_level_db(gain, peak, _IMAGE_RANGE_DB),
            vmin=-_IMAGE_RANGE_DB,
            vmax=0,
            cmap=LEVEL_MAP,
            extent=(-0.5 / width.size, 0.5 / width.size, 0, 0.5 / height.size),
            **style,
        )
    part.colorbar(drawn, ax=grid[0], label="weight", pad=0.01)
    part.colorbar(image, ax=grid[1], label="gain / dB", pad=0.01)
    _label(
        grid,
        (width.in_ms.label, height.in_ms.label),
        (width.frequency_label, height.frequency_label),
    )


def _response_image(kernel: FloatArray) -> FloatArray:
    """Return the squared gain of a kernel `[height, width]` over modulation frequencies."""
    points = [max(_IMAGE_POINTS, size) for size in kernel.shape]
    gain = np.abs(np.fft.fft2(kernel, points)) ** 2
    shifted: FloatArray = np.fft.fftshift(gain, axes=1)
    return shifted[: points[0] // 2 + 1]


def _label(grid: NDArray[np.object_], above: tuple[str, str], below: tuple[str, str]) -> None:
    """Label the leftmost axes of both rows; the others are the same, which saves drawing time."""
    for row, (horizontal, vertical) in zip(grid, (above, below), strict=True):
        for other in row[1:]:
            other.set_xticks([])
            other.set_yticks([])
        axis: Axes = row[0]
        axis.tick_params(labelsize="x-small")
        axis.set_xlabel(horizontal, fontsize="small")
        axis.set_ylabel(vertical, fontsize="small")
