"""Power over frequency in a model's input, for objectives that describe sound."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.errors import ConfigError
from tfdream.signal.frontends import Frontend
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend


@dataclass(frozen=True)
class Spectrum:
    """Reads the first channel of a model's input as power over frequency.

    Attributes:
      frontend: makes the model's input.
      sample_rate: of the waveform, in Hz.
    """

    frontend: SpectrogramFrontend
    sample_rate: int

    @classmethod
    def of(cls, frontend: Frontend, sample_rate: int, setting: str) -> "Spectrum":
        """Check that the input is an image of levels or magnitudes over frequency.

        Args:
          frontend: makes the model's input.
          sample_rate: of the waveform, in Hz.
          setting: what needs such an input, for the message.

        Raises:
          ConfigError: if it is not, or if its range depends on the clip.
        """
        if not (isinstance(frontend, SpectrogramFrontend) and frontend.shows_level):
            raise ConfigError(
                f"{setting} needs an image of levels or magnitudes over frequency, which this "
                "network's frontend does not give; leave it out"
            )
        if frontend.config.level_range != "top_db":
            raise ConfigError(
                f"{setting} needs levels on one scale; frontend.level_range="
                f"{frontend.config.level_range} depends on each clip; use top_db"
            )
        return cls(frontend, sample_rate)

    def power(self, image: tf.Tensor) -> tf.Tensor:
        """Return the power `[batch, rows, columns]` of an image `[batch, rows, columns, c]`.

        It is relative to the loudest cell where the frontend's levels are.
        """
        return self.frontend.scale.channel_to_power(tf.cast(image[..., 0], tf.float32))

    def frequencies_hz(self, rows: int) -> NDArray[np.float64]:
        """Return the frequencies of the rows of an image that may be resized."""
        original = self.frontend.config.frequencies_hz(self.sample_rate)
        places = np.linspace(0, len(original) - 1, rows)
        hertz: NDArray[np.float64] = np.interp(places, np.arange(len(original)), original)
        return hertz
