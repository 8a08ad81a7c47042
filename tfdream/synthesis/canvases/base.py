"""The interface of all canvases."""

import abc
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from tfdream.config import CanvasConfig
from tfdream.errors import ConfigError
from tfdream.signal.frontends import Frontend
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.images import Size
from tfdream.signal.phase import spectral_error
from tfdream.signal.stft import low_pass
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.rendering.timelines import Timeline

Context: TypeAlias = dict[str, tf.Tensor]
"""A canvas's data of the original: tensors by name, so that one graph serves every tile."""


class CanvasSpec(NamedTuple):
    """Parameters shared by all canvases."""

    frontend: Frontend
    """The frontend of the network."""
    samples: int
    """Length of a tile."""
    sample_rate: int
    """Sample rate of the tile in Hz."""
    mask: Mask | None = None
    """Weights of the change; without a mask everything may change."""
    passband: float | None = None
    """Sample rate of the file that the change is added to, relative to that of the tile, at most 1.
    None if it is the same: the change is not resampled."""
    seed: int = 0
    """Seed of random phases."""
    bound_db: Timeline | None = None
    """For gains: their bound over time, instead of a constant one."""


class Canvas(abc.ABC):
    """A parametrization of changed audio, whose values float32 `[batch, …]` are optimized.

    Args:
      config: the section of the canvas.
      spec: frontend, length, sample rate and mask.
    """

    def __init__(self, config: CanvasConfig, spec: CanvasSpec) -> None:
        self.config = config
        self.frontend = spec.frontend
        self.samples = spec.samples
        self.sample_rate = spec.sample_rate
        self.mask = spec.mask
        self.passband = spec.passband
        self.seed = spec.seed

    @property
    def limits(self) -> tuple[float, float] | None:
        """Lowest and highest value that the values may take; None without limits."""
        return None

    @abc.abstractmethod
    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        """Compute the context of the original, which the other methods need.

        Args:
          waveform: float32 `[batch, samples]`.
          start_seconds: start of each example in its file, float64 `[batch]` or one for all:
            float32 has no sample positions after a few minutes.
        """

    @abc.abstractmethod
    def start(self, context: Context) -> tf.Tensor:
        """Return the values that leave the original unchanged."""

    def resize_values(
        self, values: tf.Tensor, context: Context, size: Size | None = None
    ) -> tf.Tensor:
        """Return the values with which an octave begins; by default, they have no octaves.

        Args:
          values: values at the end of the previous octave.
          context: context of the original.
          size: size of the octave's view; None for the view as it is.
        """
        return values

    def finish(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the values that are rendered and measured after an optimization.

        By default, these are the values at full size. They are finite whenever the values are.
        """
        return self.resize_values(values, context)

    def gains_to_values(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the values that apply gains in dB to the original, within the canvas's bounds.

        Args:
          gain_db: float32 `[batch, frames, bins]` of the canvas's STFT.
          context: context of the original.

        Raises:
          ConfigError: if the canvas has no levels.
        """
        raise ConfigError(
            f"canvas.kind={self.config.kind} has no levels to change; use gains or log_magnitude"
        )

    @abc.abstractmethod
    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the waveform, `[batch, samples]`."""

    def render_channels(
        self, values: tf.Tensor, context: Context, channels: tf.Tensor
    ) -> tf.Tensor:
        """Apply the change of the mid signal to all channels.

        By default, the difference of the waveforms is added to every channel.

        Args:
          values: values of the mid signal.
          context: context of the mid signal.
          channels: float32 `[batch, samples, channels]`.

        Returns:
          The changed channels, of the same shape.
        """
        change = self.render(values, context) - context["waveform"]
        return channels + change[..., tf.newaxis]

    def view(self, values: tf.Tensor, context: Context, size: Size | None = None) -> tf.Tensor:
        """Return the model's input; by default, that of the rendered waveform.

        If the change will be resampled to the file's sample rate, the highest frequencies, which
        resampling removes from the file, are removed from the view as well.

        Args:
          values: values of the canvas.
          context: context of the canvas.
          size: size of an octave, to which an image is resized; None for the view as it is.
        """
        changed = self.render(values, context)
        if self.passband is not None:
            original = context["waveform"]
            changed = original + low_pass(changed - original, self.passband)
        return self.frontend(changed, size)

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor | None:
        """Return the target magnitude of the waveform, `[batch, frames, bins]`.

        It is a magnitude of the frontend's STFT. None if the view is that of the rendered waveform,
        as it is by default: then every waveform has its target magnitude.
        """
        return None

    def inconsistency(self, values: tf.Tensor, context: Context) -> dict[str, tf.Tensor]:
        """Return the energies of the waveform's spectral error and of its target magnitude.

        Returns:
          ``error_energy`` and ``target_energy``, `[batch]` or `[1]`; empty if the view is not a
          spectrogram.
        """
        if not isinstance(self.frontend, SpectrogramFrontend):
            return {}
        # A view of the rendered waveform is consistent.
        error, energy = tf.zeros([1]), tf.ones([1])
        target = self.magnitude(values, context)
        if target is not None:
            rendered = self.render(values, context)
            error, energy = spectral_error(rendered, target, self.frontend.spec)
        return {"error_energy": error, "target_energy": energy}


def masked(change: tf.Tensor, context: Context) -> tf.Tensor:
    """Multiply a change `[batch, frames, bins(, parts)]` by the context's mask, if it has one."""
    if "mask" not in context:
        return change
    mask = context["mask"]
    if change.shape.rank == 4:
        mask = mask[..., tf.newaxis]
    return change * tf.cast(mask, change.dtype)
