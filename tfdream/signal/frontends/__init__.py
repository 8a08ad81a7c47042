"""Frontends: waveform → model input, as differentiable, batched TensorFlow operations.

Each module of this package is a frontend: a section (a `FrontendConfig` with its kinds) and a
function ``build(config, sample_rate)``. Modules are discovered by listing the package. Images are
`[batch, frequency, time, channels]`, frequency ascending.
"""

from tfdream.config import FrontendConfig
from tfdream.config.registry import module_of
from tfdream.signal.frontends.base import Frontend

__all__ = ["Frontend", "build"]


def build(config: FrontendConfig, sample_rate: int) -> Frontend:
    """Build the frontend of a section for waveforms of a sample rate in Hz.

    Raises:
      ConfigError: if the section does not fit the sample rate.

    >>> from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig
    >>> build(SpectrogramFrontendConfig(kind="amplitude"), sample_rate=22050).shape(samples=51200)
    (1025, 101, 1)
    """
    frontend: Frontend = module_of(config).build(config, sample_rate)
    return frontend
