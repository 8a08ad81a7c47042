"""What all figures share: the sheet that they are drawn on, colors, levels, names."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from tfdream.errors import ConfigError
from tfdream.io.atomic import check_free_file, write_bytes

_FORMATS = (".png", ".svg", ".pdf")
_DOTS_PER_INCH = 150
# Matplotlib draws no more than 2¹⁶ dots.
_TALLEST_INCHES = 400
_LONGEST_NAME = 90

WIDTH_INCHES = 10.0

# Okabe and Ito's, without the yellow that white paper swallows: told apart by everyone.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
COLORS = (BLUE, ORANGE, GREEN, "#D55E00", "#CC79A7", "#56B4E9", "#000000")

# Perceptually uniform, of levels, of shares, of values, of angles.
LEVEL_MAP, SHARE_MAP, VALUE_MAP, ANGLE_MAP = "magma", "cividis", "viridis", "twilight"

_ROUND_HZ = np.outer(10.0 ** np.arange(1, 5), (1, 2, 5)).ravel()
# As a share of the axis.
_CLOSEST_TICKS = 0.06

RANGE_DB = 80.0
"""Levels this far below the loudest, and under it, are black."""


def check_writable(output: Path) -> None:
    """Raise ConfigError if `output` has no picture's extension, or can never be written."""
    if output.suffix.lower() not in _FORMATS:
        raise ConfigError(f"figure '{output.name}' does not end in one of: {', '.join(_FORMATS)}")
    check_free_file(output, force=True, error=ConfigError)


@contextmanager
def new_figure(output: Path, height: float, width: float = WIDTH_INCHES) -> Iterator[Figure]:
    """An empty figure of a size in inches, which is written when the block ends well.

    Raises:
      ConfigError: if `output` has no picture's extension, or can never be written.
    """
    check_writable(output)
    size = width, min(height, _TALLEST_INCHES)
    figure = Figure(figsize=size, layout="constrained", dpi=_DOTS_PER_INCH)
    yield figure
    drawn = io.BytesIO()  # on a full disk, the writer of PDF stumbles over its own tidying up
    with warnings.catch_warnings():
        # A letter that the typeface lacks becomes a box: no reason to say so in many lines.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        figure.savefig(drawn, format=output.suffix[1:].lower())
    write_bytes(output, drawn.getvalue())


@contextmanager
def sheet(
    output: Path,
    rows: int,
    columns: int = 1,
    height: float | None = None,
    width: float = WIDTH_INCHES,
    heights: Sequence[float] | None = None,
) -> Iterator[list[Axes]]:
    """Axes in rows and columns, on a figure that is written when the block ends well.

    Args:
      output: the picture.
      rows, columns: of axes.
      height, width: of the figure, in inches; by default 2.6 for each row.
      heights: of the rows, in inches, instead.

    Yields:
      The axes, row by row.

    Raises:
      ConfigError: if `output` has no picture's extension, or can never be written.
    """
    total = height or (sum(heights) if heights else 2.6 * rows)
    with new_figure(output, total, width) as figure:
        axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        for axis in axes.flat:
            axis.set_prop_cycle(color=COLORS)
        yield list(axes.flat)


def name(axis: Axes, text: str, longest: int = _LONGEST_NAME) -> None:
    """Give axes a title; what is too long loses its middle, and a $ is no formula."""
    axis.set_title(shortened(text, longest), parse_math=False)


def shortened(text: str, longest: int = _LONGEST_NAME) -> str:
    """A name of at most so many letters: what is too long loses its middle."""
    if len(text) <= longest:
        return text
    kept = (longest - 1) // 2
    return f"{text[:kept]}…{text[-kept:]}"


def color_bar(axis: Axes, drawn: ScalarMappable, label: str) -> None:
    """What the colors of axes mean."""
    assert axis.figure is not None
    axis.figure.colorbar(drawn, ax=axis, label=label, pad=0.01)


def round_hz(frequencies_hz: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Round frequencies for the ticks of an axis that runs by octaves, as far as there is room.

    Args:
      frequencies_hz: known points of the axis, ascending.
      places: where they are, as shares of the axis.
    """
    within = (frequencies_hz[0] <= _ROUND_HZ) & (frequencies_hz[-1] >= _ROUND_HZ)
    ticks: list[float] = []
    # From above: an axis that is not quite logarithmic is dense below.
    for tick in _ROUND_HZ[within][::-1]:
        near = np.interp([tick, *ticks[:1]], frequencies_hz, places)
        if len(near) == 1 or near[1] - near[0] > _CLOSEST_TICKS:
            ticks.insert(0, tick)
    return np.array(ticks)


def power_to_level_db(
    power: np.ndarray, reference: float, range_db: float = RANGE_DB
) -> np.ndarray:
    """Power over a reference in dB, no further below 0 than the range; silence is there, too."""
    share = power / max(reference, 1e-20)
    return 10 * np.log10(np.maximum(share, 10 ** (-range_db / 10)))
