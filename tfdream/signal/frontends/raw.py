"""Raw samples as model input."""

from typing import Literal

import tensorflow as tf

from tfdream.config import FrontendConfig
from tfdream.signal.frontends.base import Frontend
from tfdream.signal.images import Size


class RawFrontendConfig(FrontendConfig):
    """The samples themselves."""

    kind: Literal["raw"]


class RawFrontend(Frontend):
    """Passes the samples on as `[batch, samples, 1]`."""

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        return waveform[..., tf.newaxis]

    def shape(self, samples: int) -> tuple[int, ...]:
        return samples, 1


def build(config: RawFrontendConfig, sample_rate: int) -> RawFrontend:
    """Build the frontend."""
    return RawFrontend()
