"""Curves of settings, sampled over the time of an output; see `config.CurveConfig`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import CurveConfig, RenderConfig
from tfdream.errors import AudioError
from tfdream.signal.rhythm import find_beats
from tfdream.signal.timbre import MelAnalysis, is_silent, normalize_power
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions

VALUES_PER_SECOND = 200
"""Curves are sampled at this rate, or for a loop at the next higher one with a whole number of
values, and interpolated linearly: a step takes at most 5 ms, without a click."""
_ANALYSIS_RATE = 22050
_LOUDNESS_SECONDS = 0.05


class Timeline:
    """A value over time, interpolated between samples.

    Args:
      values: float `[samples]`, from time 0 on at `VALUES_PER_SECOND`; the last one holds beyond
        their end. For a loop, its equal parts have a value each.
      period_seconds: length of a loop, after which they repeat: the last one continues into the
        first one. None does not repeat them.

    Attributes:
      low: the lowest value.
      high: the highest value.
    """

    def __init__(self, values: NDArray[Any], period_seconds: float | None = None) -> None:
        self.values = values.astype(np.float32)
        self.low, self.high = float(self.values.min()), float(self.values.max())
        self.period_seconds = period_seconds

    @classmethod
    def sample(
        cls,
        curve: CurveConfig,
        duration_seconds: float,
        seconds_to_beats: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
        period_seconds: float | None = None,
    ) -> "Timeline":
        """Evaluate a curve.

        Args:
          curve: points, or the recording that it follows.
          duration_seconds: length of the output.
          seconds_to_beats: converts times of the recording, for a curve in beats without a tempo.
          period_seconds: length of a loop.

        Raises:
          AudioError: if the recording that it follows cannot be read or is silent.
        """
        if period_seconds is None:
            count = math.ceil(duration_seconds * VALUES_PER_SECOND) + 1
            seconds = np.arange(count) / VALUES_PER_SECOND
        else:
            count = math.ceil(period_seconds * VALUES_PER_SECOND)
            seconds = np.arange(count) * (period_seconds / count)
        if curve.follow is not None:
            return cls(_follow(curve, curve.follow, seconds), period_seconds)
        times = seconds
        if curve.tempo is not None:
            times = seconds * curve.tempo / 60
        elif curve.unit == "beats" and seconds_to_beats is not None:
            times = seconds_to_beats(seconds)
        return cls(curve.at(times), period_seconds)

    def __call__(self, seconds: NDArray[Any] | float) -> NDArray[np.float32]:
        """Return the values at some times in seconds, of the same shape."""
        return np.asarray(self.at(tf.constant(seconds, tf.float64)).numpy())

    def at(self, seconds: tf.Tensor) -> tf.Tensor:
        """Return the values at some times in seconds in a graph: float32, of the same shape."""
        count = len(self.values)
        if self.period_seconds is None:
            place = tf.clip_by_value(seconds * VALUES_PER_SECOND, 0, count - 1)
        else:
            place = tf.math.floormod(seconds * (count / self.period_seconds), count)
        low = tf.cast(tf.floor(place), tf.int32)
        high = tf.minimum(low + 1, count - 1) if self.period_seconds is None else (low + 1) % count
        share = tf.cast(place - tf.floor(place), tf.float32)
        before, after = (tf.gather(self.values, each) for each in (low, high))
        return before + share * (after - before)


@dataclass(frozen=True)
class Timelines:
    """The curves of a recipe for one file.

    Attributes:
      continuous: timelines of settings that vary within tiles, by dotted key.
      by_tile: timelines of settings that are constant within each tile, by dotted key.
      period_seconds: length of a loop; None for a file that is not one.
    """

    continuous: Mapping[str, Timeline] = field(default_factory=dict)
    by_tile: Mapping[str, Timeline] = field(default_factory=dict)
    period_seconds: float | None = None

    @classmethod
    def of(
        cls, config: RenderConfig, source: str | Path, options: RenderOptions = DEFAULT_RENDER
    ) -> "Timelines":
        """Compute the curves of a recipe for a file.

        Args:
          config: the recipe.
          source: the file; its beats are detected if a curve needs them.
          options: the range of it that is processed.

        Raises:
          AudioError: if a file cannot be read, or has no regular beats.
        """
        if not config.curves and not options.loop:
            return cls()
        with audio.part_of(source, options.start_seconds, options.seconds) as excerpt:
            seconds = audio.seconds(excerpt.path)
            period = seconds if options.loop else None
            lines = {}
            for name, curve in config.curves.items():
                beats = partial(_seconds_to_beats, excerpt.path, Path(source), curve.beats_per_bar)
                lines[name] = Timeline.sample(curve, seconds, beats, period)
        continuous = config.continuous_settings
        return cls(
            {name: line for name, line in lines.items() if name in continuous},
            {name: line for name, line in lines.items() if name not in continuous},
            period,
        )


NO_TIMELINES = Timelines()


def _seconds_to_beats(
    excerpt: Path, source: Path, beats_per_bar: int, times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return some times in beats of a recording."""
    analysis = MelAnalysis(_ANALYSIS_RATE)
    with audio.Reader(excerpt) as reader:
        power = analysis.stream_to_power(reader.mid(_ANALYSIS_RATE))
    frames_per_second = _ANALYSIS_RATE / analysis.spec.hop_samples
    levels = None if is_silent(power) else normalize_power(power)
    grid = None if levels is None else find_beats(levels, frames_per_second, beats_per_bar)
    if grid is None:
        raise AudioError(
            f"'{source}' has no regular beats for a curve in beats; give a tempo, or use seconds"
        )
    frames = np.arange(len(grid.places))
    beats: NDArray[np.float64] = np.interp(times * frames_per_second, frames, grid.places)
    return beats


def _follow(curve: CurveConfig, path: str, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that follow the loudness of a recording; after its end, the softest."""
    with audio.Reader(path) as reader:
        sample_rate = reader.info.sample_rate
        hop = max(1, round(_LOUDNESS_SECONDS * sample_rate))
        counted = audio.Counted(reader.blocks())
        power = np.array([np.mean(block**2) for block in audio.rechunk(counted, hop)], np.float64)
    if not power.any():
        raise AudioError(f"'{path}' is silent, so no curve can follow it; use another recording")
    level_db = 10 * np.log10(power / power.max() + 1e-12)
    share = np.clip(1 + level_db / curve.range_db, 0, 1)
    low, high = curve.range
    centers = (np.arange(len(share)) + 0.5) * hop / sample_rate
    shares = np.where(times * sample_rate <= counted.samples, np.interp(times, centers, share), 0)
    values: NDArray[np.float64] = low + (high - low) * shares
    return values
