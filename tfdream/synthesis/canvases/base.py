"""What every canvas is."""

import abc
from typing import Any, NamedTuple

import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.signal.frontends import (
    Frontend,
)
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.images import Size
from tfdream.signal.phase import spectral_error
from tfdream.signal.stft import low_pass
from tfdream.synthesis.canvases.masks import Mask

Context = dict[str, tf.Tensor]
"""What a canvas keeps of the original: tensors by name, so that one graph serves every tile."""


class CanvasSpec(NamedTuple):
    """What a canvas lies in."""

    frontend: Frontend
    """Through which the network looks at it."""
    samples: int
    """Of a tile."""
    sample_rate: int
    """In Hz."""
    mask: Mask | None = None
    """How much of each part may change; everything, without."""
    resampled: bool = False
    """Whether the change goes into a file of another rate."""


class Canvas(abc.ABC):
    """What is optimized. Values are float32 `[batch, …]`."""

    def __init__(self, config: Any, surroundings: CanvasSpec) -> None:
        self.config = config
        self.frontend = surroundings.frontend
        self.samples = surroundings.samples
        self.sample_rate = surroundings.sample_rate
        self.mask = surroundings.mask
        self.resampled = surroundings.resampled

    @property
    def bound(self) -> float | None:
        """The largest absolute value that its values may take."""
        return None

    @abc.abstractmethod
    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        """What the other methods need of the original.

        Args:
          waveform: float32 `[batch, samples]`.
          start_seconds: where each begins in its recording, float32 `[batch]` or one for all.
        """

    @abc.abstractmethod
    def start(self, context: Context) -> tf.Tensor:
        """The values that leave the original as it is."""

    def values_of_gains(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        """The values that change the original by gains in dB, as far as the canvas lets them.

        Args:
          gain_db: float32 `[batch, frames, bins]` of the canvas's STFT.
          context: of the original.

        Raises:
          ConfigError: if the canvas has no levels.
        """
        raise ConfigError(
            f"canvas.kind={self.config.kind} has no levels to change; use gains or log_magnitude"
        )

    @abc.abstractmethod
    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """The waveform, `[batch, samples]`."""

    def render_channels(
        self, values: tf.Tensor, context: Context, channels: tf.Tensor
    ) -> tf.Tensor:
        """The channels of a recording whose mid signal is the original.

        All get the same change, unless a canvas knows better.

        Args:
          values, context: of the mid signal.
          channels: float32 `[batch, samples, channels]`.

        Returns:
          The same shape.
        """
        change = self.render(values, context) - context["waveform"]
        return channels + change[..., tf.newaxis]

    def view(self, values: tf.Tensor, context: Context, size: Size | None = None) -> tf.Tensor:
        """The model's input; that of the rendered waveform, unless a canvas knows better.

        Where the change will be resampled to the file's own rate, its highest frequencies are left
        out of the view, as they will be of the file.

        Args:
          values, context: of the canvas.
          size: to resize an image to, an octave; None for the view as it is.
        """
        changed = self.render(values, context)
        if self.resampled:
            original = context["waveform"]
            changed = original + low_pass(changed - original)
        return self.frontend(changed, size)

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor | None:
        """The magnitude that the view wants the sound to have, `[batch, frames, bins]`.

        In the STFT of a spectrogram frontend. None where it is that of the rendered waveform, which
        is what the view looks at unless a canvas knows better.
        """
        return None

    def inconsistency(self, values: tf.Tensor, context: Context) -> dict[str, tf.Tensor]:
        """What the sound lacks of the magnitude that the view wants it to have.

        Returns:
          ``error_energy`` and ``wanted_energy``, `[batch]` or `[1]`; nothing where the view is of
          no spectrogram.
        """
        if not isinstance(self.frontend, SpectrogramFrontend):
            return {}
        # Where the view is of the sound itself, nothing is lost.
        error, energy = tf.zeros([1]), tf.ones([1])
        wanted = self.magnitude(values, context)
        if wanted is not None:
            rendered = self.render(values, context)
            error, energy = spectral_error(rendered, wanted, self.frontend.spec)
        return {"error_energy": error, "wanted_energy": energy}


def masked(change: tf.Tensor, context: Context) -> tf.Tensor:
    """A change `[batch, frames, bins(, parts)]`, as far as the context's mask lets it through."""
    if "mask" not in context:
        return change
    mask = context["mask"]
    if change.shape.rank == 4:
        mask = mask[..., tf.newaxis]
    return change * tf.cast(mask, change.dtype)
