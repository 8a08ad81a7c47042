"""Compressed power in mel bands as a gray image: the input of musicnn."""

from typing import Literal

import tensorflow as tf

from tfdream.config.base import Positive
from tfdream.config.frontends import Quantity
from tfdream.signal.frontends.mel import MelImageConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.mel import MelBands
from tfdream.signal.scales import LogPower, round_to_float16


class LogMelFrontendConfig(MelImageConfig):
    """A gray image of log10(1 + compression · power) in mel bands; it depends on the loudness.

    The bands have librosa's defaults: Slaney's mel scale and normalization. The image has no upper
    limit, and `top_db` has no effect on it.
    """

    kind: Literal["log_mel"]
    compression: Positive = 10000.0
    """Factor of the power."""
    float16: bool = False
    """Round the power of the bands to float16, as in the training data of musicnn."""

    @property
    def channels(self) -> tuple[Quantity, ...]:
        return ("log_power",)


class LogMelFrontend(SpectrogramFrontend):
    """Computes images of compressed mel power and inverts them.

    Canvases change levels of the bins that are not rounded; only the bands of an image are.

    The STFT is padded by reflection, as by the releases of librosa that musicnn was trained with;
    since librosa 0.10 the default of `librosa.feature.melspectrogram` is zeros. The difference is
    limited to the frames within half a window of the ends.

    Source: Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio
    tagging".
    """

    config: LogMelFrontendConfig
    bands: MelBands

    def __init__(self, config: LogMelFrontendConfig, sample_rate: int) -> None:
        bands = MelBands(config, sample_rate, unit_gain=False)
        super().__init__(config, bands, LogPower(config.compression))

    def _power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        of_bands = self.bands.from_bins(power)
        if self.config.float16:
            of_bands = round_to_float16(of_bands)
        return self.scale.power_to_level(of_bands)


def build(config: LogMelFrontendConfig, sample_rate: int) -> LogMelFrontend:
    """Build the frontend.

    Raises:
      ConfigError: if the bands do not fit the STFT or the sample rate.
    """
    return LogMelFrontend(config, sample_rate)
