"""Figures of recordings: waveforms and spectrograms."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from tfdream.config import StftSpec
from tfdream.figures.overview import FrequencyScale, Overview, read_overview
from tfdream.figures.sheet import (
    BLUE,
    LEVEL_MAP,
    RANGE_DB,
    check_writable,
    color_bar,
    name,
    power_to_level_db,
    round_hz,
    sheet,
)

_SPEC = StftSpec()
_BY_OCTAVES = FrequencyScale()
_WAVEFORM_INCHES = 1.5
_SPECTROGRAM_INCHES = 2.6


def spectrograms(
    paths: Sequence[Path],
    output: Path,
    titles: Sequence[str] = (),
    steps: Sequence[float] = (),
    steps_label: str = "objective",
    waveforms: bool = False,
    spec: StftSpec = _SPEC,
    scale: FrequencyScale = _BY_OCTAVES,
) -> None:
    """Spectrograms of recordings, one above the other, on the same time, frequency and colors.

    Of their mid signals; levels are in dB below the loudest of all. Where a dot of the picture
    stands for several frames or bins, it shows the loudest of them.

    Args:
      paths: audio files, each of any length.
      output: the picture.
      titles: of each; the file names by default.
      steps: the value of each step, drawn below the recordings if there are any.
      steps_label: what it is.
      waveforms: draw the waveform above each spectrogram, too.
      spec: window and hop.
      scale: of the frequencies.

    Raises:
      AudioError: if a file cannot be read.
      ConfigError: if `output` has no picture's extension.

    Source: "Music Style Classification and Transformation", chapter 5 (waveforms and spectrograms,
    windows of 512 samples that overlap by half); "Music generation using style transfer" (content,
    style and output one above the other).
    """
    check_writable(output)
    found = [read_overview(path, spec, scale) for path in paths]
    names = [*titles, *(path.name for path in paths[len(titles) :])]
    each = [_WAVEFORM_INCHES] * waveforms + [_SPECTROGRAM_INCHES]
    heights = each * len(found) + [_SPECTROGRAM_INCHES] * bool(steps)
    with sheet(output, len(heights), heights=heights) as axes:
        recordings = axes[: len(axes) - bool(steps)]
        if waveforms:
            _draw_waveforms(recordings[::2], found)
        _draw_spectrograms(recordings[len(each) - 1 :: len(each)], found, scale)
        for axis, title in zip(recordings[:: len(each)], names, strict=False):
            name(axis, title)
        for axis in recordings:
            axis.set_xlim(0, max(one.seconds for one in found))
        recordings[-1].set_xlabel("time / s")
        if steps:
            _draw_steps(axes[-1], steps, steps_label)


def _draw_waveforms(axes: Sequence[Axes], found: Sequence[Overview]) -> None:
    largest = max(max(one.highest.max(), -one.lowest.min()) for one in found) or 1.0
    for axis, one in zip(axes, found, strict=True):
        # Columns shorter than a swing touch, as the line through the samples does.
        highest, lowest = one.highest.copy(), one.lowest.copy()
        highest[1:] = np.maximum(highest[1:], one.lowest[:-1])
        lowest[1:] = np.minimum(lowest[1:], one.highest[:-1])
        axis.stairs(
            highest,
            one.sample_edges,
            baseline=lowest,
            fill=True,
            color=BLUE,
            linewidth=0.6,
        )
        axis.set(ylim=(-1.05 * largest, 1.05 * largest), ylabel="amplitude")
        axis.grid(alpha=0.3)


def _draw_spectrograms(
    axes: Sequence[Axes], found: Sequence[Overview], scale: FrequencyScale
) -> None:
    reference = max(float(one.power.max()) for one in found)
    lowest_hz = min(float(one.edges_hz[0]) for one in found)
    highest_hz = max(float(one.edges_hz[-1]) for one in found)
    shown_hz = np.geomspace(max(lowest_hz, 1e-3), highest_hz)
    ticks = round_hz(shown_hz, np.linspace(0, 1, len(shown_hz)))
    for axis, one in zip(axes, found, strict=True):
        mesh = axis.pcolormesh(
            one.frame_edges,
            one.edges_hz,
            power_to_level_db(one.power, reference),
            vmin=-RANGE_DB,
            vmax=0,
            cmap=LEVEL_MAP,
            rasterized=True,
        )
        axis.set(yscale="linear" if scale.linear else "log", ylabel="frequency / Hz")
        if not scale.linear:
            axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_yticks([], minor=True)
        axis.set_ylim(lowest_hz, highest_hz)
        axis.set_facecolor("black")  # what a recording of another rate or length has not
        color_bar(axis, mesh, "level / dB")


def _draw_steps(axis: Axes, values: Sequence[float], label: str) -> None:
    axis.plot(range(1, len(values) + 1), values, linewidth=1)
    axis.set(xlabel="step, over all tiles and octaves", ylabel=label)
    axis.set_yscale("log" if min(values) > 0 else "linear")
    axis.grid(alpha=0.3)
