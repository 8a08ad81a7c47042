"""Rhythm: the levels of the style within a bar, at the beats of the content.

The style's pattern consists of the levels of broad bands at every twelfth of a beat, relative to
their average over a bar; it is the median over all bars. At every frame of the content, the gain is
the difference of the pattern and the content's own relative level: its accents are replaced. A
content without a beat gets the tempo of the style.

Source: our own; beat-synchronous patterns after Holzapfel and Stylianou, "Rhythmic similarity of
music based on dynamic periodicity warping", and Foote and Uchihashi, "The beat spectrum".
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdream.errors import AudioError
from tfdream.signal import rhythm
from tfdream.signal.timbre import Levels, MelAnalysis, sounding, to_reference
from tfdream.synthesis.mapping.base import GainModel, Mapping

_GAIN_RANGE_DB = (-30.0, 12.0)


class StylePattern(NamedTuple):
    """The pattern of a bar in dB, `[steps, groups]`, and the seconds of a beat."""

    pattern: NDArray[np.float64]
    beat_seconds: float


class RhythmModel(GainModel[StylePattern]):
    """See the module.

    Args:
      path: the style.
      beats_per_bar: number of beats in a bar of both recordings.
    """

    def __init__(self, path: str | Path, beats_per_bar: int) -> None:
        super().__init__(path)
        self.beats_per_bar = beats_per_bar

    def analyze(self, analysis: MelAnalysis, levels: Levels) -> StylePattern:
        """Return the pattern of a style.

        Raises:
          AudioError: if it has no regular beat.
        """
        rate = analysis.frames_per_second
        grid = rhythm.find_beats(levels, rate, self.beats_per_bar)
        if grid is None:
            raise AudioError(
                f"the style '{self.path}' has no regular beat; use a recording with a rhythm, of "
                "some seconds"
            )
        relative = rhythm.relative_levels(rhythm.group_levels(levels), grid, self.beats_per_bar)
        pattern = rhythm.bar_pattern(relative, grid, self.beats_per_bar)
        return StylePattern(pattern, grid.beat_frames / rate)

    def map(self, analysis: MelAnalysis, levels: Levels) -> Mapping:
        style = self.style(analysis)
        rate = analysis.frames_per_second
        grid = rhythm.find_beats(levels, rate, self.beats_per_bar)
        if grid is None:
            grid = rhythm.regular_beats(len(levels), style.beat_seconds * rate)
        own = rhythm.relative_levels(rhythm.group_levels(levels), grid, self.beats_per_bar)
        change = np.clip(rhythm.at_places(style.pattern, grid) - own, *_GAIN_RANGE_DB)
        gain_db = _spread(change, levels.shape[1])
        expected = to_reference(levels + gain_db)
        return Mapping(gain_db, expected, sounding(levels).astype(float), by_frame=True)


def _spread(groups: NDArray[np.float64], bands: int) -> NDArray[np.float64]:
    """Interpolate the values of broad bands at mel bands, `[frames, bands]`."""
    parts = np.array_split(np.arange(bands), groups.shape[1])
    centers = np.array([part.mean() for part in parts])
    places = np.clip(np.interp(np.arange(bands), centers, np.arange(len(centers))), 0, None)
    low = np.minimum(places.astype(int), len(centers) - 2)
    share = places - low
    spread: NDArray[np.float64] = groups[:, low] * (1 - share) + groups[:, low + 1] * share
    return spread
