"""The picture that a network sees, at full resolution, as a canvas."""

import math

import tensorflow as tf

from tfdream.config import (
    LogMagnitudeCanvasConfig,
    LogMagnitudePhaseCanvasConfig,
    PhaseCanvasConfig,
)
from tfdream.errors import ConfigError
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.images import Size
from tfdream.signal.phase import magnitude_to_waveform
from tfdream.signal.scales import Decibels
from tfdream.signal.stft import (
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context, masked


class Spectrogram(Canvas):
    """Level, phase, or both, of every cell of the frontend's STFT; what does not move is kept.

    The network sees them as they are, whether or not any sound has such a spectrogram: what it sees
    is not quite what will be heard. Levels are on the frontend's scale and stop at some headroom
    above the loudest of the original: without a bound, dB would grow for ever. A phase that does
    not move is the original's, or found from the magnitude (`signal.phase`).

    The values of a phase count in 2π / top_db radians, so that a step changes level and phase of
    the image by as much.

    Source: "Dreaming in Music", sections III-C and V-B (there on a resized image).

    Raises:
      ConfigError: if the frontend does not show what moves.
    """

    config: LogMagnitudeCanvasConfig | PhaseCanvasConfig | LogMagnitudePhaseCanvasConfig
    frontend: SpectrogramFrontend

    def __init__(
        self,
        config: LogMagnitudeCanvasConfig | PhaseCanvasConfig | LogMagnitudePhaseCanvasConfig,
        surroundings: CanvasSpec,
    ) -> None:
        super().__init__(config, surroundings)
        self.moves_level = config.kind != "phase"
        self.moves_phase = config.kind != "log_magnitude"
        shown = surroundings.frontend
        if not isinstance(shown, SpectrogramFrontend):
            raise ConfigError(
                f"canvas.kind={config.kind} needs a model that sees spectrograms "
                "(frontend.kind=amplitude or mel); use canvas.kind=gains, mixture or waveform"
            )
        for part, moves, shows in (
            ("level", self.moves_level, shown.shows_level),
            ("phase", self.moves_phase, shown.shows_phase),
        ):
            if moves and not shows:
                raise ConfigError(
                    f"canvas.kind={config.kind} changes the {part}, which the model does not see "
                    f"(frontend.kind={shown.config.kind}); use canvas.kind=gains or waveform"
                )
        self.spec = shown.spec
        self.phase_unit = 2 * math.pi / shown.config.top_db

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        stft = waveform_to_stft(waveform, self.spec)
        power = stft_to_power(stft)
        scale = self.frontend.scale
        context = {
            "waveform": waveform,
            "level": scale.power_to_level(power),
            "phase": stft_to_phase(stft),
        }
        if not isinstance(self.config, PhaseCanvasConfig) and self.config.headroom_db is not None:
            loudest = tf.reduce_max(power, axis=[1, 2], keepdims=True)
            highest = loudest * 10 ** (self.config.headroom_db / 10)
            context["highest"] = scale.power_to_level(highest)
        if self.mask is not None:
            context["mask"] = self.mask(stft, self.spec, start_seconds)
        return context

    def start(self, context: Context) -> tf.Tensor:
        if not self.moves_phase:
            return context["level"]
        phase = context["phase"] / self.phase_unit
        return tf.stack([context["level"], phase], axis=-1) if self.moves_level else phase

    def values_of_gains(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        scale, level = self.frontend.scale, context["level"]
        if self.moves_phase or not isinstance(scale, Decibels):
            return super().values_of_gains(gain_db, context)
        # What is black in the picture rises from where black begins, wherever it lies below.
        black = scale.reference(level) - scale.top_db
        return tf.where(gain_db > 0, tf.maximum(level, black), level) + gain_db

    def view(self, values: tf.Tensor, context: Context, size: Size | None = None) -> tf.Tensor:
        return self.frontend.parts_to_image(*self._parts(values, context), size)

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        level, _ = self._parts(values, context)
        return self.frontend.scale.level_to_magnitude(level)

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        level, phase = self._parts(values, context)
        magnitude = self.frontend.scale.level_to_magnitude(level)
        if isinstance(self.config, LogMagnitudeCanvasConfig):
            return magnitude_to_waveform(
                magnitude, self.spec, self.samples, self.config.phase, phase
            )
        return stft_to_waveform(to_complex(magnitude, phase), self.spec, self.samples)

    def _parts(self, values: tf.Tensor, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        """Level, and phase in radians, both `[batch, frames, bins]`."""
        unchanged = self.start(context)
        values = unchanged + masked(values - unchanged, context) if self.mask else values
        level, phase = context["level"], context["phase"]
        if self.moves_level:
            level = values[..., 0] if self.moves_phase else values
            if "highest" in context:
                level = tf.minimum(level, context["highest"])
        if self.moves_phase:
            phase = (values[..., 1] if self.moves_level else values) * self.phase_unit
        return level, phase
