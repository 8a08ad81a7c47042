"""The log magnitude and the phase of the frontend's STFT."""

from typing import Literal

import tensorflow as tf

from tfdream.synthesis.canvases.base import CanvasSpec, Context
from tfdream.synthesis.canvases.spectrogram import HeadroomConfig, Spectrogram


class LogMagnitudePhaseCanvasConfig(HeadroomConfig):
    """The STFT's log magnitude and its phase, both."""

    kind: Literal["log_magnitude_phase"]


class LogMagnitudePhase(Spectrogram):
    """Level and phase of every cell of the frontend's STFT, `[batch, frames, bins, 2]`."""

    changes_level = True
    changes_phase = True
    config: LogMagnitudePhaseCanvasConfig

    def start(self, context: Context) -> tf.Tensor:
        return tf.stack([context["level"], context["phase"] / self.phase_unit], axis=-1)

    def split(self, values: tf.Tensor, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        return values[..., 0], values[..., 1] * self.phase_unit


def build(config: LogMagnitudePhaseCanvasConfig, spec: CanvasSpec) -> LogMagnitudePhase:
    """Build the canvas of a section."""
    return LogMagnitudePhase(config, spec)
