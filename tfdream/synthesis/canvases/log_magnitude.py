"""The log magnitude of the frontend's STFT, rendered with a reconstructed phase."""

from typing import Literal

import tensorflow as tf

from tfdream.config import LevelCanvasConfig, PhaseConfig
from tfdream.signal.phase import magnitude_to_waveform
from tfdream.signal.scales import Decibels
from tfdream.synthesis.canvases.base import CanvasSpec, Context
from tfdream.synthesis.canvases.spectrogram import HeadroomConfig, Spectrogram


class LogMagnitudeCanvasConfig(HeadroomConfig, LevelCanvasConfig):
    """The STFT's log magnitude, rendered with a reconstructed phase."""

    kind: Literal["log_magnitude"]
    phase: PhaseConfig = PhaseConfig()

    @property
    def reconstructs_phase(self) -> bool:
        return self.phase.init != "original"


class LogMagnitude(Spectrogram):
    """The level of every cell of the frontend's STFT; `render` reconstructs a phase."""

    changes_level = True
    changes_phase = False
    config: LogMagnitudeCanvasConfig

    def start(self, context: Context) -> tf.Tensor:
        return context["level"]

    def split(self, values: tf.Tensor, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        return values, context["phase"]

    def gains_to_values(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        scale, level = self.frontend.scale, context["level"]
        if not isinstance(scale, Decibels):
            return super().gains_to_values(gain_db, context)
        # A cell below the black level of the image is raised from the black level.
        black = scale.reference(level) - scale.top_db
        return tf.where(gain_db > 0, tf.maximum(level, black), level) + gain_db

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        level, phase = self.parts(values, context)
        magnitude = self.frontend.scale.level_to_magnitude(level)
        return magnitude_to_waveform(
            magnitude, self.spec, self.samples, self.config.phase, phase, self.seed
        )


def build(config: LogMagnitudeCanvasConfig, spec: CanvasSpec) -> LogMagnitude:
    """Build the canvas of a section."""
    return LogMagnitude(config, spec)
