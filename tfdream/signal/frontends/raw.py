"""Raw samples as model input."""

from typing import Literal

import tensorflow as tf

from tfdream.config import FrontendConfig, Positive
from tfdream.signal.frontends.base import Frontend
from tfdream.signal.images import Size


class RawFrontendConfig(FrontendConfig):
    """The samples themselves."""

    kind: Literal["raw"]
    gain: Positive = 1.0
    """Factor that all samples are multiplied by."""


class RawFrontend(Frontend):
    """Passes the samples on as `[batch, samples, 1]`.

    Args:
      gain: factor of the samples.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        return self.gain * waveform[..., tf.newaxis]

    def shape(self, samples: int) -> tuple[int, ...]:
        return samples, 1


def build(config: RawFrontendConfig, sample_rate: int) -> RawFrontend:
    """Build the frontend."""
    return RawFrontend(config.gain)
