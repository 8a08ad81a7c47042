"""The analysis of a content: the gains that a model gives each of its frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.signal.timbre import SILENCE, MelAnalysis, is_silent, normalize_power
from tfdream.synthesis.mapping.base import GainModel, Mapping, read_power
from tfdream.synthesis.rendering.timelines import Timeline

_VALID_SHARE = 0.9
"""Bands above this share of the style's Nyquist frequency use the gain of the highest valid one."""


@dataclass(frozen=True)
class ContentGains:
    """The gains of a content, which are computed once for all settings of their application.

    Attributes:
      analysis: frames and bands, at the content's sample rate.
      start: start of the processed part in the content, in samples.
      samples: length of the content.
      end: end of the processed part in the content, in samples.
      peak_db: level of its loudest band.
      gain_db: gains by the strength, float32 `[frames, bands]`.
      expected: levels expected of the style, float32 `[frames, bands]`.
      weights: weight of each frame in the losses, float32 `[frames]`.
      by_frame: see `Mapping`.
    """

    analysis: MelAnalysis
    start: int
    samples: int
    end: int
    peak_db: float
    gain_db: NDArray[np.float32]
    expected: NDArray[np.float32]
    weights: NDArray[np.float32]
    by_frame: bool

    @classmethod
    def from_file(
        cls,
        path: Path,
        model: GainModel[Any],
        strength: float | Timeline,
        start_seconds: float = 0.0,
        seconds: float | None = None,
    ) -> "ContentGains":
        """Analyze a file, all of it.

        Args:
          path: the file to change.
          model: gives the gains, for a style.
          strength: factor of the gains, or its curve over the processed part.
          start_seconds: start of the processed part in the file.
          seconds: its length; None processes the rest of the file.

        Raises:
          AudioError: if a file cannot be read, or the style is silent.
        """
        rate = audio.info(path).sample_rate
        start, analysis = round(start_seconds * rate), MelAnalysis(rate)
        power, samples = read_power(analysis, path)
        if is_silent(power):
            mapping = Mapping(np.zeros_like(power), power, np.zeros(len(power)))
        else:
            mapping = model.map(analysis, normalize_power(power))
        gain_db = _extended(mapping.gain_db, analysis, model.sample_rate)
        factor: Any = strength
        if isinstance(strength, Timeline):
            places = np.arange(len(gain_db)) * analysis.spec.hop_samples - start
            factor = strength(np.maximum(places, 0) / rate)[:, np.newaxis]
        return cls(
            analysis=analysis,
            start=start,
            samples=samples,
            end=samples if seconds is None else min(samples, start + round(seconds * rate)),
            peak_db=float(10 * np.log10(max(power.max(), SILENCE))),
            gain_db=(factor * gain_db).astype(np.float32),
            expected=mapping.expected.astype(np.float32),
            weights=mapping.weights.astype(np.float32),
            by_frame=mapping.by_frame,
        )


def _extended(gain_db: NDArray[Any], analysis: MelAnalysis, style_rate: int) -> NDArray[Any]:
    """Replace the gains of bands above the style's range by that of its highest band."""
    valid = analysis.center_hz <= _VALID_SHARE * style_rate / 2
    highest = max(0, int(valid.sum()) - 1)
    return gain_db[:, np.minimum(np.arange(gain_db.shape[1]), highest)]
