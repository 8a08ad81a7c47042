"""Waveforms and spectrograms of audio files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from tfdream import config
from tfdream.figures.base import AudioFigureOptions, Drawing, Option, titles_of
from tfdream.figures.parts.overview import FrequencyScale, Overview, read_overview
from tfdream.figures.parts.sheet import (
    BLUE,
    LEVEL_MAP,
    RANGE_DB,
    add_color_bar,
    legend_name,
    new_subplots,
    number_from_one,
    power_to_level_db,
    round_hz,
    set_title,
)

_SPEC = config.StftSpec()
_SCALE = FrequencyScale()
_WAVEFORM_INCHES = 1.5
_SPECTROGRAM_INCHES = 2.6


class Options(AudioFigureOptions):
    """Draw the spectrograms of AUDIO files of any length, one below the other."""

    waveforms: bool = Field(False, description="Also draw the waveform above each spectrogram.")
    n_fft: int = Field(2048, description="Window of the STFT, in samples.")
    hop: int | None = Field(
        None, description="Hop of the STFT, in samples; by default a quarter of the window."
    )
    max_hz: Annotated[float | None, Option(metavar="HZ")] = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Upper end of the frequency axis; by default half the sample rate.",
    )
    linear: bool = Field(False, description="Use a linear frequency axis from 0 Hz.")


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot spectrograms`."""
    hop = options.n_fft // 4 if options.hop is None else options.hop
    settings = {"n_fft": options.n_fft, "hop_samples": hop}
    view = View(
        options.waveforms,
        config.validate(settings, config.StftSpec, "--n-fft and --hop"),
        FrequencyScale(options.max_hz, options.linear),
    )
    return Drawing(plot_spectrograms(options.audio, options.names, view=view))


@dataclass(frozen=True)
class View:
    """The way spectrograms are drawn.

    Attributes:
      waveforms: draw the waveform above each spectrogram, too.
      spec: window and hop of the STFT.
      scale: frequency axis.
    """

    waveforms: bool = False
    spec: config.StftSpec = _SPEC
    scale: FrequencyScale = _SCALE


@dataclass(frozen=True)
class Steps:
    """Curves of one value per optimization step.

    Attributes:
      curves: the value of each step, by the name of the result.
      label: name of the quantity.
    """

    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    label: str = "objective"


_NO_STEPS = Steps()
_VIEW = View()


def plot_spectrograms(
    paths: Sequence[str | Path],
    titles: Sequence[str] = (),
    steps: Steps = _NO_STEPS,
    view: View = _VIEW,
) -> Figure:
    """Draw spectrograms of audio files below each other, with common axes and colors.

    The spectrograms are those of the mid signals; levels are in dB below the maximum of all files.
    A pixel that stands for several frames or bins shows their maximum.

    Args:
      paths: audio files of any length.
      titles: titles of the files; by default their names.
      steps: values drawn below the spectrograms, if there are any.
      view: what is drawn.

    Raises:
      AudioError: if a file cannot be read.

    Source: "Music Style Classification and Transformation", chapter 5 (waveforms and spectrograms,
    windows of 512 samples that overlap by half); "Music generation using style transfer" (content,
    style and output one above the other).
    """
    files = [Path(path) for path in paths]
    overviews = [read_overview(path, view.spec, view.scale) for path in files]
    rows = [_WAVEFORM_INCHES] * view.waveforms + [_SPECTROGRAM_INCHES]
    heights = rows * len(files) + [_SPECTROGRAM_INCHES] * bool(steps.curves)
    figure, axes = new_subplots(len(heights), heights=heights)
    of_files = axes[: len(rows) * len(files)]
    if view.waveforms:
        _draw_waveforms(of_files[::2], overviews)
    _draw_spectrograms(of_files[len(rows) - 1 :: len(rows)], overviews, view.scale)
    names = titles_of(files, titles)
    for axis, title in zip(of_files[:: len(rows)], names, strict=False):
        set_title(axis, title)
    for axis in of_files:
        axis.set_xlim(0, max(overview.seconds for overview in overviews))
    of_files[-1].set_xlabel("time / s")
    if steps.curves:
        _draw_steps(axes[-1], steps)
    return figure


def _draw_waveforms(axes: Sequence[Axes], overviews: Sequence[Overview]) -> None:
    peak = max(max(each.highest.max(), -each.lowest.min()) for each in overviews) or 1.0
    for axis, overview in zip(axes, overviews, strict=True):
        # Neighboring columns touch, as a line through the samples would.
        highest, lowest = overview.highest.copy(), overview.lowest.copy()
        highest[1:] = np.maximum(highest[1:], overview.lowest[:-1])
        lowest[1:] = np.minimum(lowest[1:], overview.highest[:-1])
        axis.stairs(
            highest,
            overview.sample_edges,
            baseline=lowest,
            fill=True,
            color=BLUE,
            linewidth=0.6,
        )
        axis.set(ylim=(-1.05 * peak, 1.05 * peak), ylabel="amplitude")
        axis.grid(alpha=0.3)


def _draw_spectrograms(
    axes: Sequence[Axes], overviews: Sequence[Overview], scale: FrequencyScale
) -> None:
    reference = max(float(each.power.max()) for each in overviews)
    lowest_hz = min(float(each.edges_hz[0]) for each in overviews)
    highest_hz = max(float(each.edges_hz[-1]) for each in overviews)
    shown_hz = np.geomspace(max(lowest_hz, 1e-3), highest_hz)
    ticks = round_hz(shown_hz, np.linspace(0, 1, len(shown_hz)))
    for axis, overview in zip(axes, overviews, strict=True):
        mesh = axis.pcolormesh(
            overview.frame_edges,
            overview.edges_hz,
            power_to_level_db(overview.power, reference),
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
        axis.set_facecolor("black")  # the background of shorter files and lower sample rates
        add_color_bar(axis, mesh, "level / dB")


def _draw_steps(axis: Axes, steps: Steps) -> None:
    number_from_one(axis, max(map(len, steps.curves.values())))
    for name, values in steps.curves.items():
        axis.plot(range(1, len(values) + 1), values, label=legend_name(name), linewidth=1)
    axis.set(xlabel="step, over all tiles and octaves", ylabel=steps.label)
    axis.set_yscale("log" if min(map(min, steps.curves.values())) > 0 else "linear")
    if len(steps.curves) > 1:
        axis.legend()
    axis.grid(alpha=0.3)
