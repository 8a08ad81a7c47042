"""The sheet that figures are drawn on: size, colors, levels, titles and output formats."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tfdream.errors import ConfigError
from tfdream.io.atomic import check_output_file, write_bytes

FloatArray = NDArray[np.floating[Any]]

_FORMATS = (".png", ".svg", ".pdf")
_PIXELS_PER_INCH = 150
# Matplotlib's limit is 2¹⁶ pixels.
_MAX_HEIGHT_INCHES = 400
_ROW_INCHES = 2.6
_MAX_TITLE_LENGTH = 90

WIDTH_INCHES = 10.0

# The palette of Okabe and Ito, distinguishable with all forms of color blindness, without its
# yellow, which is hardly visible on white.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
COLORS = (BLUE, ORANGE, GREEN, "#D55E00", "#CC79A7", "#56B4E9", "#000000")

# Perceptually uniform color maps for levels, shares, values and angles.
LEVEL_MAP, SHARE_MAP, VALUE_MAP, ANGLE_MAP = "magma", "cividis", "viridis", "twilight"

_ROUND_HZ = np.outer(10.0 ** np.arange(1, 5), (1, 2, 5)).ravel()
# As a share of the axis.
_MIN_TICK_DISTANCE = 0.06

RANGE_DB = 80.0
"""Levels this far below the maximum, and lower ones, are black."""


def check_writable(output: str | Path) -> None:
    """Raise ConfigError if `output` is not named like an image, or cannot be written."""
    output = Path(output)
    if output.suffix.lower() not in _FORMATS:
        raise ConfigError(f"figure '{output.name}' does not end in one of: {', '.join(_FORMATS)}")
    check_output_file(output, force=True, error=ConfigError)


def write(figure: Figure, output: str | Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the extension; an existing file is replaced.

    Raises:
      ConfigError: if `output` is not named like an image, or cannot be written.
    """
    output = Path(output)
    check_writable(output)
    write_bytes(output, encode(figure, output.suffix[1:].lower()))


def encode(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as the content of a PNG, SVG or PDF file."""
    # In memory: matplotlib's PDF writer fails in its own clean-up if the disk is full.
    content = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the typeface lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        figure.savefig(content, format=kind)
    return content.getvalue()


def number_from_one(axis: Axes, last: int) -> None:
    """Set limits and ticks of a horizontal axis of numbers, such as epochs, from 1 to `last`."""
    margin = 0.5 if last == 1 else 0.05 * (last - 1)
    axis.set_xlim(1 - margin, last + margin)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def new_figure(height: float, width: float = WIDTH_INCHES) -> Figure:
    """Return an empty figure of a size in inches."""
    size = width, min(height, _MAX_HEIGHT_INCHES)
    return Figure(figsize=size, layout="constrained", dpi=_PIXELS_PER_INCH)


def new_subplots(
    rows: int,
    columns: int = 1,
    height: float | None = None,
    width: float = WIDTH_INCHES,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes in rows and columns, and the axes row by row.

    Args:
      rows: rows of axes.
      columns: columns of axes.
      height: height of the figure in inches; by default 2.6 for each row.
      width: width of the figure in inches.
      heights: height of each row in inches, instead of `height`.
    """
    total = height or (sum(heights) if heights else _ROW_INCHES * rows)
    figure = new_figure(total, width)
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.set_prop_cycle(color=COLORS)
    return figure, list(axes.flat)


def set_title(axis: Axes, text: str, max_length: int = _MAX_TITLE_LENGTH) -> None:
    """Set the title of axes: shortened in the middle, and without interpreting $ as a formula."""
    axis.set_title(shorten(text, max_length), parse_math=False)


def legend_name(text: str) -> str:
    r"""Return the name of a curve without interpreting $ as a formula.

    >>> legend_name("A$AP")
    'A\\$AP'
    """
    return text.replace("$", r"\$")


def shorten(text: str, max_length: int = _MAX_TITLE_LENGTH) -> str:
    """Return a text without its middle if it is longer than `max_length`.

    >>> shorten("a long file name.wav", 11)
    'a lon…e.wav'
    """
    if len(text) <= max_length:
        return text
    end = (max_length - 1) // 2
    return f"{text[:end]}…{text[-end:]}"


def add_color_bar(axis: Axes, drawn: ScalarMappable, label: str) -> None:
    """Add the color scale of axes."""
    assert axis.figure is not None
    axis.figure.colorbar(drawn, ax=axis, label=label, pad=0.01)


def round_hz(frequencies_hz: FloatArray, positions: FloatArray) -> FloatArray:
    """Return round frequencies for the ticks of a logarithmic axis, as far as there is room.

    Args:
      frequencies_hz: frequencies at some points of the axis, ascending.
      positions: where these points are, as shares of the axis.

    >>> round_hz(np.array([40, 400, 4000]), np.array([0, 0.5, 1])).tolist()
    [50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0]
    """
    within = (frequencies_hz[0] <= _ROUND_HZ) & (frequencies_hz[-1] >= _ROUND_HZ)
    ticks: list[float] = []
    # From above: the ticks of a mel axis are dense at low frequencies.
    for tick in _ROUND_HZ[within][::-1]:
        near = np.interp([tick, *ticks[:1]], frequencies_hz, positions)
        if len(near) == 1 or near[1] - near[0] > _MIN_TICK_DISTANCE:
            ticks.insert(0, tick)
    return np.array(ticks)


def power_to_level_db(
    power: FloatArray, reference: float, range_db: float = RANGE_DB
) -> FloatArray:
    """Convert power to dB relative to a reference, limited to `range_db` below it.

    >>> power_to_level_db(np.array([1.0, 0.1, 0.0]), reference=1.0, range_db=60).round(6).tolist()
    [0.0, -10.0, -60.0]
    """
    share = power / max(reference, 1e-20)
    level: FloatArray = 10 * np.log10(np.maximum(share, 10 ** (-range_db / 10)))
    return level
