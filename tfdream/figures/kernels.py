"""The figure of a network's filters: each kernel, and what it lets through."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from tfdream.figures.inputs import Step
from tfdream.figures.sheet import (
    BLUE,
    LEVEL_MAP,
    ORANGE,
    WIDTH_INCHES,
    new_figure,
    power_to_level_db,
)

if TYPE_CHECKING:
    from tfdream.models.inspect import Convolution

_SHOWN = 8
_RANGE_DB = 60.0
_IMAGE_RANGE_DB = 30.0
_POINTS = 1024
_IMAGE_POINTS = 64
_KERNEL_MAP = "RdBu_r"  # diverging: zero is white


class Kernels(NamedTuple):
    """The filters of one convolution.

    Attributes:
      layer: its name.
      weights: float32 `[length, inputs, filters]` or `[height, width, inputs, filters]`.
      steps: of its input's cells, along each axis of a kernel.
    """

    layer: str
    weights: np.ndarray
    steps: tuple[Step, ...]

    @classmethod
    def read(cls, convolution: "Convolution", steps: Sequence[Step]) -> "Kernels":
        """Those of a model whose input has such steps."""
        weights, strides = convolution.kernel, convolution.strides
        own = (Step(1, "cells"),) * (weights.ndim - 2)
        if strides is not None and len(strides) == len(own):
            pairs = zip(steps, strides, strict=True)
            own = tuple(Step(step.size * stride, step.unit) for step, stride in pairs)
        return cls(convolution.name, weights, own)


def filters(kernels: Sequence[Kernels], output: Path) -> None:
    """Filters of convolutions, each above its frequency response.

    Of a filter with several inputs, the kernel of the strongest is shown; of a layer with more than
    eight filters, the eight strongest, by their norm. Responses of one-dimensional filters are
    gains in dB over the frequencies that the layer's input can have; those of two-dimensional ones
    are levels below the layer's largest gain, over both modulation frequencies.

    Args:
      kernels: of each convolution.
      output: the picture.

    Source: "Music Style Classification and Transformation", chapter 5.
    """
    with new_figure(output, 3.3 * len(kernels), WIDTH_INCHES * 1.3) as figure:
        parts = figure.subfigures(len(kernels), 1, squeeze=False)[:, 0]
        for part, each in zip(parts, kernels, strict=True):
            shown = strongest(each.weights)
            part.suptitle(_heading(each, len(shown)), parse_math=False, fontsize="medium")
            # A layer of few filters leaves the rest of the row empty.
            grid = part.subplots(2, _SHOWN, squeeze=False)
            for axis in grid[:, len(shown) :].flat:
                axis.remove()
            draw = _draw_lines if each.weights.ndim == 3 else _draw_images
            draw(part, grid[:, : len(shown)], each, shown)


def strongest(weights: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """At most eight filters in their order: number, and kernel for the strongest input."""
    energy = (weights**2).sum(axis=tuple(range(weights.ndim - 2)))  # [inputs, filters]
    largest = np.sort(np.argsort(-energy.sum(axis=0), kind="stable")[:_SHOWN])
    return [(int(one), weights[..., energy[:, one].argmax(), one]) for one in largest]


def response_db(kernel: np.ndarray, step: Step) -> tuple[np.ndarray, np.ndarray]:
    """The gain in dB of a kernel `[length]`, and the frequencies in cycles per the step's unit."""
    points = max(_POINTS, len(kernel))
    gain = np.abs(np.fft.rfft(kernel, points))
    return np.fft.rfftfreq(points, step.size), 20 * np.log10(np.maximum(gain, 1e-10))


def _heading(kernels: Kernels, shown: int) -> str:
    *size, inputs, count = kernels.weights.shape
    which = f"{count} filters" if shown == count else f"the {shown} strongest of {count} filters"
    extent = " × ".join(
        f"{cells * step.shown.size:.4g} {step.shown.unit}"
        for cells, step in zip(size, kernels.steps, strict=True)
    )
    text = f"{kernels.layer}: {which} of {' × '.join(map(str, size))} cells ({extent})"
    return text if inputs == 1 else f"{text}, of the strongest of {inputs} inputs each"


def _draw_lines(
    part: Any, grid: np.ndarray, kernels: Kernels, shown: Sequence[tuple[int, np.ndarray]]
) -> None:
    (step,) = kernels.steps
    largest = max(float(np.abs(kernel).max()) for _, kernel in shown) or 1.0
    responses = [response_db(kernel, step) for _, kernel in shown]
    peak_db = max(float(gain_db.max()) for _, gain_db in responses)
    for (above, below), (number, kernel), (cycles, gain_db) in zip(
        grid.T, shown, responses, strict=True
    ):
        above.plot(step.shown.size * np.arange(len(kernel)), kernel, color=BLUE, linewidth=0.9)
        above.set_title(str(number), fontsize="small")
        below.plot(cycles, gain_db, color=ORANGE, linewidth=0.9)
        above.axhline(0, color="black", linewidth=0.4)
        above.set_ylim(-1.05 * largest, 1.05 * largest)
        below.axhline(0, color="black", linewidth=0.4)
        below.set_ylim(peak_db - _RANGE_DB, peak_db + 3)
    _label(grid, (step.shown.label, "weight"), (step.cycles, "gain / dB"))


def _draw_images(
    part: Any, grid: np.ndarray, kernels: Kernels, shown: Sequence[tuple[int, np.ndarray]]
) -> None:
    height, width = kernels.steps
    largest = max(float(np.abs(kernel).max()) for _, kernel in shown) or 1.0
    gains = [_response_image(kernel) for _, kernel in shown]
    peak = max(float(gain.max()) for gain in gains)
    how: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    for (above, below), (number, kernel), gain in zip(grid.T, shown, gains, strict=True):
        rows, columns = kernel.shape
        drawn = above.imshow(
            kernel,
            vmin=-largest,
            vmax=largest,
            cmap=_KERNEL_MAP,
            extent=(0, columns * width.shown.size, 0, rows * height.shown.size),
            **how,
        )
        above.set_title(str(number), fontsize="small")
        image = below.imshow(
            power_to_level_db(gain, peak, _IMAGE_RANGE_DB),
            vmin=-_IMAGE_RANGE_DB,
            vmax=0,
            cmap=LEVEL_MAP,
            extent=(-0.5 / width.size, 0.5 / width.size, 0, 0.5 / height.size),
            **how,
        )
    part.colorbar(drawn, ax=grid[0], label="weight", pad=0.01)
    part.colorbar(image, ax=grid[1], label="gain / dB", pad=0.01)
    _label(grid, (width.shown.label, height.shown.label), (width.cycles, height.cycles))


def _response_image(kernel: np.ndarray) -> np.ndarray:
    """Squared gain of a kernel `[height, width]` over modulations, those along frequency ≥ 0."""
    points = [max(_IMAGE_POINTS, size) for size in kernel.shape]
    gain = np.abs(np.fft.fft2(kernel, points)) ** 2
    return np.fft.fftshift(gain, axes=1)[: points[0] // 2 + 1]


def _label(grid: np.ndarray, above: tuple[str, str], below: tuple[str, str]) -> None:
    """Name the axes of both rows, once each: the others have the same, and need no time for it."""
    for row, (horizontal, vertical) in zip(grid, (above, below), strict=True):
        for other in row[1:]:
            other.set_xticks([])
            other.set_yticks([])
        axis: Axes = row[0]
        axis.tick_params(labelsize="x-small")
        axis.set_xlabel(horizontal, fontsize="small")
        axis.set_ylabel(vertical, fontsize="small")
