"""The base of canvases that change the level or phase of the frontend's STFT at full resolution."""

import abc
import math
from typing import ClassVar

import tensorflow as tf

from tfdream.config import CanvasConfig
from tfdream.errors import ConfigError
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.images import Size
from tfdream.signal.stft import (
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context, masked


class HeadroomConfig(CanvasConfig):
    """Base of the sections of canvases whose values contain the levels of a spectrogram."""

    headroom_db: float | None = 0.0
    """Limit of the levels above the loudest of the original; null removes the limit."""


class Spectrogram(Canvas):
    """Level, phase, or both, of every cell of the frontend's STFT; the rest is the original's.

    The network's view is made from the values directly, whether or not any waveform has such a
    spectrogram, so it can differ from the view of the rendered waveform. Levels are on the
    frontend's scale, limited to `headroom_db` above the loudest cell of the original: without a
    limit, an ascent raises dB for ever. A frontend that scales clips to a level scales the view by
    the factor of the original.

    The values of a phase are in units of 2π / top_db radians, so that a step changes level and
    phase of the image by the same amount.

    Source: "Dreaming in Music", sections III-C and V-B (there on a resized image).

    Raises:
      ConfigError: if the frontend does not show the level or phase that the canvas changes.
    """

    changes_level: ClassVar[bool]
    changes_phase: ClassVar[bool]
    frontend: SpectrogramFrontend

    def __init__(self, config: CanvasConfig, spec: CanvasSpec) -> None:
        super().__init__(config, spec)
        frontend = spec.frontend
        if not isinstance(frontend, SpectrogramFrontend):
            raise ConfigError(
                f"canvas.kind={config.kind} needs a model with spectrograms as input "
                "(frontend.kind=amplitude or mel); use canvas.kind=gains, mixture or waveform"
            )
        for part, changes, shows in (
            ("level", self.changes_level, frontend.shows_level),
            ("phase", self.changes_phase, frontend.shows_phase),
        ):
            if changes and not shows:
                raise ConfigError(
                    f"canvas.kind={config.kind} changes the {part}, which is not part of the "
                    f"model's input (frontend.kind={frontend.config.kind}); use canvas.kind=gains "
                    "or waveform"
                )
        self.spec = frontend.spec
        self.phase_unit = 2 * math.pi / frontend.config.top_db

    @property
    def headroom_db(self) -> float | None:
        """Limit of the levels above the loudest of the original; None without a limit."""
        return self.config.headroom_db if isinstance(self.config, HeadroomConfig) else None

    @abc.abstractmethod
    def split(self, values: tf.Tensor, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        """Return level, and phase in radians, both `[batch, frames, bins]`, of unmasked values."""

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        stft = waveform_to_stft(waveform, self.spec)
        power = stft_to_power(stft)
        scale = self.frontend.scale
        context = {
            "waveform": waveform,
            "level": scale.power_to_level(power),
            "phase": stft_to_phase(stft),
        }
        if self.headroom_db is not None:
            loudest = tf.reduce_max(power, axis=[1, 2], keepdims=True)
            highest = loudest * 10 ** (self.headroom_db / 10)
            context["highest"] = scale.power_to_level(highest)
        factor = self.frontend.level_factor(waveform)
        if factor is not None:
            context["factor"] = factor[..., tf.newaxis]
        if self.mask is not None:
            context["mask"] = self.mask(stft, self.spec, start_seconds)
        return context

    def view(self, values: tf.Tensor, context: Context, size: Size | None = None) -> tf.Tensor:
        level, phase = self.parts(values, context)
        if "factor" in context:
            scale = self.frontend.scale
            level = scale.power_to_level((scale.level_to_magnitude(level) * context["factor"]) ** 2)
        return self.frontend.parts_to_image(level, phase, size)

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        level, _ = self.parts(values, context)
        return self.frontend.scale.level_to_magnitude(level)

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        level, phase = self.parts(values, context)
        magnitude = self.frontend.scale.level_to_magnitude(level)
        return stft_to_waveform(to_complex(magnitude, phase), self.spec, self.samples)

    def parts(self, values: tf.Tensor, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        """Return level, and phase in radians, both `[batch, frames, bins]`, masked and limited."""
        if self.mask is not None:
            unchanged = self.start(context)
            values = unchanged + masked(values - unchanged, context)
        level, phase = self.split(values, context)
        if "highest" in context:
            level = tf.minimum(level, context["highest"])
        return level, phase
