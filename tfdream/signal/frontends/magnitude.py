"""The magnitude of an STFT as a gray image, without a logarithm."""

from typing import Literal

from tfdream.config import StftImageConfig
from tfdream.config.frontends import Quantity
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.scales import Magnitude


class MagnitudeFrontendConfig(StftImageConfig):
    """A gray image of the STFT's magnitude.

    The image has no upper limit, and `top_db` has no effect on it.
    """

    kind: Literal["magnitude"]

    @property
    def channels(self) -> tuple[Quantity, ...]:
        return ("magnitude",)


def build(config: MagnitudeFrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    """Build the frontend."""
    return SpectrogramFrontend(config, scale=Magnitude())
