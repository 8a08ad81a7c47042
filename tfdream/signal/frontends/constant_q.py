"""The constant-Q transform as a gray image."""

from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import ImageFrontendConfig
from tfdream.config.frontends import Spacing
from tfdream.signal.constant_q import REFERENCE_STFT, ConstantQ, ConstantQSpec
from tfdream.signal.frontends.base import Frontend
from tfdream.signal.images import Size, spectra_to_images
from tfdream.signal.scales import Decibels


class ConstantQFrontendConfig(ImageFrontendConfig, ConstantQSpec):
    """A gray image of levels in bands at equal musical intervals, in dB below the loudest band."""

    kind: Literal["constant_q"]
    logarithmic: ClassVar[bool] = True

    def cells(self, samples: int) -> int:
        return self.bands * self.frames(samples)

    def frequencies_hz(self, sample_rate: int) -> NDArray[np.float64]:
        octaves = np.arange(self.bands) / self.bands_per_octave
        return self.min_hz * 2.0**octaves

    def row_spacing(self, rows: int, sample_rate: int) -> Spacing:
        return self.octaves / rows, "octaves"


class ConstantQFrontend(Frontend):
    """Computes images `[batch, bands, frames, 1]`, which have no inverse."""

    def __init__(self, config: ConstantQFrontendConfig, sample_rate: int) -> None:
        self.config = config
        self.transform = ConstantQ(config, sample_rate)
        self.scale = Decibels(REFERENCE_STFT, config.top_db)

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        level = self.scale.power_to_level(self.transform.waveform_to_power(waveform))
        channel = self.scale.level_to_channel(level, self.scale.reference(level))
        sizes = [each for each in (self.config.size, size) if each is not None]
        return spectra_to_images(channel[..., tf.newaxis], *sizes)

    def shape(self, samples: int) -> tuple[int, ...]:
        size = self.config.size or (self.config.bands, self.config.frames(samples))
        return *size, 1


def build(config: ConstantQFrontendConfig, sample_rate: int) -> ConstantQFrontend:
    """Build the frontend.

    Raises:
      ConfigError: if the bands reach beyond half the sample rate.
    """
    return ConstantQFrontend(config, sample_rate)
