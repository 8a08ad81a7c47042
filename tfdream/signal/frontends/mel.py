"""Levels in mel bands as a gray image."""

from typing import Literal

from tfdream.config import StftImageConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.mel import MelBands, MelSpec


class MelFrontendConfig(StftImageConfig, MelSpec):
    """A gray image of the levels in mel bands, in dB below the clip's loudest band."""

    kind: Literal["mel"]

    @property
    def shows_levels_only(self) -> bool:
        return True


def build(config: MelFrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    """Build the frontend.

    Raises:
      ConfigError: if the bands do not fit the STFT or the sample rate.
    """
    return SpectrogramFrontend(config, MelBands(config, sample_rate))
