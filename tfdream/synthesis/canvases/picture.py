"""The image that is the network's input, which image dreams optimize octave by octave."""

from typing import Literal

import tensorflow as tf

from tfdream.config import CanvasConfig, PhaseConfig
from tfdream.errors import ConfigError
from tfdream.signal.frontends.spectrogram import ImageMetadata, SpectrogramFrontend
from tfdream.signal.images import Size, resize, spectra_to_images
from tfdream.signal.scales import Decibels
from tfdream.signal.stft import stft_to_waveform, waveform_to_stft
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context, masked


class PictureCanvasConfig(CanvasConfig):
    """The network's input picture; detail that it does not show is lost."""

    kind: Literal["picture"]
    phase: PhaseConfig = PhaseConfig(init="original", iterations=0)
    """Phase of a picture of levels; a picture of phases has its own."""

    @property
    def reconstructs_phase(self) -> bool:
        return self.phase.init != "original"


class Picture(Canvas):
    """The network's input picture, `[batch, height, width, channels]` from 0 to 1.

    Every octave optimizes a picture of its own size: the original at that size, plus the change of
    the previous octave, resized. This adds back the detail that resizing the picture loses. At the
    end the picture is resized to the bins and frames of the STFT. A level that the picture does not
    show is the original's, and so is a phase unless it is reconstructed.

    Source: "Dreaming in Music", sections III-C and V-B, with the octaves of Mordvintsev, Olah and
    Tyka, "Inceptionism".

    Raises:
      ConfigError: if the model's input is no picture with a range from 0 to 1 of an STFT's bins.
    """

    config: PictureCanvasConfig
    frontend: SpectrogramFrontend

    def __init__(self, config: PictureCanvasConfig, spec: CanvasSpec) -> None:
        super().__init__(config, spec)
        frontend = spec.frontend
        if (
            not isinstance(frontend, SpectrogramFrontend)
            or not isinstance(frontend.scale, Decibels)
            or frontend.bands
        ):
            raise ConfigError(
                "canvas.kind=picture needs a model with frontend.kind=amplitude, phase or "
                "amplitude_phase; use canvas.kind=gains, mixture or waveform"
            )
        height, width, _ = frontend.shape(spec.samples)
        self.size = height, width

    @property
    def limits(self) -> tuple[float, float]:
        return 0.0, 1.0

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        picture, metadata = self.frontend.analyze(waveform)
        context = {"waveform": waveform, "picture": picture, **metadata._asdict()}
        if self.mask is not None:
            stft = waveform_to_stft(waveform, self.frontend.spec)
            context["mask"] = self.mask(stft, self.frontend.spec, start_seconds)
        return context

    def start(self, context: Context) -> tf.Tensor:
        return context["picture"]

    def resize_values(
        self, values: tf.Tensor, context: Context, size: Size | None = None
    ) -> tf.Tensor:
        change = values - _resized(context["picture"], _size(values))
        target = size or self.size
        return _resized(context["picture"], target) + _resized(change, target)

    def view(self, values: tf.Tensor, context: Context, size: Size | None = None) -> tf.Tensor:
        picture = _resized(values, size or self.size)
        if "mask" not in context:
            return picture
        shape = _size(picture)
        original = _resized(context["picture"], shape)
        mask = spectra_to_images(context["mask"][..., tf.newaxis], self.size, shape)
        return original + mask * (picture - original)

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        picture = self.view(values, context)
        return self.frontend.image_to_magnitude(picture, _metadata(context), self.samples)

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        rendered = self.frontend.invert(
            self.view(values, context),
            _metadata(context),
            self.samples,
            self.config.phase,
            self.seed,
        )
        if "mask" not in context:
            return rendered
        # What the picture cannot show is lost only where the mask permits a change.
        original, spec = context["waveform"], self.frontend.spec
        change = masked(waveform_to_stft(rendered - original, spec), context)
        return original + stft_to_waveform(change, spec, self.samples)


def _metadata(context: Context) -> ImageMetadata:
    return ImageMetadata(*(context[name] for name in ImageMetadata._fields))


def _size(picture: tf.Tensor) -> Size:
    height, width = picture.shape[1:3]
    return height, width


def _resized(picture: tf.Tensor, size: Size) -> tf.Tensor:
    return picture if _size(picture) == size else resize(picture, size)


def build(config: PictureCanvasConfig, spec: CanvasSpec) -> Picture:
    """Build the canvas of a section."""
    return Picture(config, spec)
