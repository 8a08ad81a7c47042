"""Rhythm as a pattern: the levels of broad bands within a bar, averaged over all bars."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from tfdream.signal.onsets import onset_strength
from tfdream.signal.timbre import Levels

GROUPS = 8
"""Broad bands, each of an equal number of mel bands."""
STEPS_PER_BEAT = 12
_LEAST_BEATS = 4
_LEAST_REGULARITY = 0.1
"""Autocorrelation of the onset strength at the beat, below which there is no rhythm."""
_LEAST_ONSET_DB = 1.5
"""Mean rise of the bands at beats, below which there is no rhythm; the median over the beats."""
_BEAT_FRAMES = 2
"""Largest distance of an onset from its beat."""
_SMOOTHING = (0.25, 0.5, 0.25)
"""Weights of neighboring frames in the onset strength: the distance of two beats is seldom a whole
number of frames, so that onsets of one frame would hardly coincide."""
_DEEPEST_DB = 40.0


class Grid(NamedTuple):
    """The beats of a recording.

    Attributes:
      places: position of every frame in beats, float `[frames]`; bars begin at multiples of the
        number of beats in a bar.
      beat_frames: mean distance of two beats, in frames.
    """

    places: NDArray[np.float64]
    beat_frames: float


def group_levels(levels: Levels) -> NDArray[np.float64]:
    """Return the levels of broad bands in dB, `[frames, GROUPS]`."""
    power = np.array_split(10 ** (levels / 10), GROUPS, axis=1)
    mean_db: NDArray[np.float64] = 10 * np.log10(
        np.stack([each.mean(axis=1) for each in power], axis=1)
    )
    return mean_db


def find_beats(levels: Levels, frames_per_second: float, beats_per_bar: int) -> Grid | None:
    """Find beats and bars.

    Args:
      levels: levels of mel bands in dB.
      frames_per_second: rate of the frames.
      beats_per_bar: number of beats in a bar; the beat with the strongest bass is the first one.

    Returns:
      The beats; None if the recording is too short or has no regular onsets.

    Source: Ellis, "Beat tracking by dynamic programming", as implemented in librosa.
    """
    from librosa.beat import beat_track

    onsets = onset_strength(np.maximum(levels, levels.max() - 60))
    smooth = np.convolve(onsets, _SMOOTHING, mode="same")
    _, beats = beat_track(
        onset_envelope=smooth, sr=frames_per_second, hop_length=1, trim=False, units="frames"
    )
    if len(beats) < _LEAST_BEATS:
        return None
    at_beats = maximum_filter1d(onsets, 2 * _BEAT_FRAMES + 1)[beats]
    if np.median(at_beats) < _LEAST_ONSET_DB or _regularity(smooth, beats) < _LEAST_REGULARITY:
        return None
    beat_frames = float((beats[-1] - beats[0]) / (len(beats) - 1))
    places = _positions(np.arange(len(levels)), beats, beat_frames)
    places -= _first_of_bar(levels, beats, beats_per_bar)
    return Grid(places, beat_frames)


def regular_beats(frames: int, beat_frames: float) -> Grid:
    """Return beats at equal distances from the first frame on."""
    return Grid(np.arange(frames) / beat_frames, beat_frames)


def relative_levels(groups: NDArray[np.float64], grid: Grid, beats: int) -> NDArray[np.float64]:
    """Return levels relative to their moving average in dB, at least −40: `[frames, GROUPS]`.

    Args:
      groups: levels of broad bands in dB, `[frames, GROUPS]`.
      grid: the beats.
      beats: length of the average, in beats.
    """
    width = max(1, round(beats * grid.beat_frames))
    mean = uniform_filter1d(10 ** (groups / 10), width, axis=0, mode="nearest")
    relative: NDArray[np.float64] = groups - 10 * np.log10(np.maximum(mean, 1e-20))
    return np.maximum(relative, -_DEEPEST_DB)


def bar_pattern(relative: NDArray[np.float64], grid: Grid, beats_per_bar: int) -> NDArray[Any]:
    """Return the median of each step of a bar over all bars in dB, `[steps, GROUPS]`.

    Args:
      relative: levels relative to their moving average in dB, `[frames, GROUPS]`.
      grid: the beats.
      beats_per_bar: number of beats in a bar.
    """
    steps = STEPS_PER_BEAT * beats_per_bar
    step = np.floor(grid.places * STEPS_PER_BEAT).astype(int) % steps
    present = np.unique(step)
    medians = np.stack([np.median(relative[step == each], axis=0) for each in present])
    # Steps that are shorter than a frame take the value between their neighbors.
    columns = [np.interp(np.arange(steps), present, each, period=steps) for each in medians.T]
    return np.stack(columns, axis=1)


def at_places(pattern: NDArray[Any], grid: Grid) -> NDArray[np.float64]:
    """Return the values of a pattern `[steps, GROUPS]` at every frame, `[frames, GROUPS]`."""
    steps = np.arange(len(pattern)) + 0.5  # the middle of a step
    places = grid.places * STEPS_PER_BEAT
    columns = [np.interp(places, steps, each, period=len(pattern)) for each in pattern.T]
    return np.stack(columns, axis=1)


def _regularity(onsets: NDArray[Any], beats: NDArray[Any]) -> float:
    """Return the autocorrelation of the onset strength at the mean distance of the beats."""
    lag = max(1, round(float(np.diff(beats).mean())))
    centered = onsets - onsets.mean()
    energy = float(centered @ centered)
    return float(centered[lag:] @ centered[:-lag]) / energy if energy > 0 else 0.0


def _positions(frames: NDArray[Any], beats: NDArray[Any], beat_frames: float) -> NDArray[Any]:
    """Interpolate the position in beats between beats, and extrapolate it outside."""
    inside = np.interp(frames, beats, np.arange(len(beats)))
    before = np.minimum(0, frames - beats[0]) / beat_frames
    after = np.maximum(0, frames - beats[-1]) / beat_frames
    positions: NDArray[np.float64] = inside + before + after
    return positions


def _first_of_bar(levels: Levels, beats: NDArray[Any], beats_per_bar: int) -> int:
    bass = group_levels(levels)[:, 0][np.minimum(beats, len(levels) - 1)]
    means = [bass[first::beats_per_bar].mean() for first in range(min(beats_per_bar, len(bass)))]
    return int(np.argmax(means))
