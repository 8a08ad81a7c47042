"""Timbre by regression: mel spectra as a function of loudness, register and attack.

The style's spectra are modeled as a function of these features, and so are the content's. The gain
of a frame is the difference of the two models at the features of the frame.

Source: conditional spectral envelopes after Caetano and Rodet, "Musical instrument sound morphing
guided by perceptually motivated features"; the regression is our own.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from tfdream.signal.timbre import (
    Levels,
    MelAnalysis,
    SpectrumModel,
    spectral_envelope,
)
from tfdream.synthesis.mapping.base import GainModel, Mapping

_ENVELOPE_ORDER = 20
# Percentiles of the style's register to which the content's is limited: models do not extrapolate.
_REGISTER_PERCENTILES = (5, 95)
_SMOOTHING_FRAMES = 0.5
_GAIN_ORDER = 24
"""Cepstral coefficients of the gains: they are smooth over frequency, so that notes stay."""


class StyleSpectra(NamedTuple):
    """The model of a style at one sample rate, and the range of its register in octaves."""

    spectrum: SpectrumModel
    lowest: float
    highest: float


class RegressionTimbre(GainModel[StyleSpectra]):
    """See the module.

    Args:
      path: the style.
      residual_share: share of the content's deviation from its own model that is removed.
    """

    def __init__(self, path: str | Path, residual_share: float) -> None:
        super().__init__(path)
        self.residual_share = residual_share

    def map(self, analysis: MelAnalysis, levels: Levels) -> Mapping:
        style = self.style(analysis)
        notes = analysis.describe(levels)
        values = notes.values.copy()
        values[:, 1] = np.clip(values[:, 1], style.lowest, style.highest)
        expected_style = style.spectrum.predict(values)
        expected_content = SpectrumModel(notes, levels).predict(notes.values)
        residual = spectral_envelope(levels - expected_content, _ENVELOPE_ORDER)
        gain_db = expected_style - expected_content - self.residual_share * residual
        gain_db = spectral_envelope(gain_db, _GAIN_ORDER)
        gain_db = gaussian_filter1d(gain_db, _SMOOTHING_FRAMES, axis=0)
        return Mapping(gain_db, expected_style, notes.weights)

    def analyze(self, analysis: MelAnalysis, levels: Levels) -> StyleSpectra:
        notes = analysis.describe(levels)
        register = notes.values[notes.weights > 0, 1]
        lowest, highest = np.percentile(register, _REGISTER_PERCENTILES)
        return StyleSpectra(SpectrumModel(notes, levels), lowest, highest)
