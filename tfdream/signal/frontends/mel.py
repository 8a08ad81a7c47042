"""Levels in mel bands as a gray image."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tfdream.config import StftImageConfig
from tfdream.config.frontends import Spacing
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.mel import MelBands, MelSpec


class MelImageConfig(StftImageConfig, MelSpec):
    """Base of the sections of frontends whose rows are mel bands."""

    logarithmic: ClassVar[bool] = True

    def frequencies_hz(self, sample_rate: int) -> NDArray[np.float64]:
        from librosa import mel_frequencies

        top_hz = self.max_hz or sample_rate / 2
        centers_hz: NDArray[np.float64] = mel_frequencies(
            self.bands + 2, fmin=self.min_hz, fmax=top_hz
        )
        return centers_hz[1:-1]

    def row_spacing(self, rows: int, sample_rate: int) -> Spacing:
        return self.bands / rows, "mel bands"


class MelFrontendConfig(MelImageConfig):
    """A gray image of the levels in mel bands, in dB below the clip's loudest band."""

    kind: Literal["mel"]


def build(config: MelFrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    """Build the frontend.

    Raises:
      ConfigError: if the bands do not fit the STFT or the sample rate.
    """
    return SpectrogramFrontend(config, MelBands(config, sample_rate))
