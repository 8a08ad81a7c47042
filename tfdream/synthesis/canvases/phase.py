"""The phase of the frontend's STFT."""

from typing import Literal

import tensorflow as tf

from tfdream.config import CanvasConfig
from tfdream.synthesis.canvases.base import CanvasSpec, Context
from tfdream.synthesis.canvases.spectrogram import Spectrogram


class PhaseCanvasConfig(CanvasConfig):
    """The STFT's phase; the magnitude stays the original's."""

    kind: Literal["phase"]
    adds_sound = False


class Phase(Spectrogram):
    """The phase of every cell of the frontend's STFT."""

    changes_level = False
    changes_phase = True

    def start(self, context: Context) -> tf.Tensor:
        return context["phase"] / self.phase_unit

    def split(self, values: tf.Tensor, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        return context["level"], values * self.phase_unit


def build(config: PhaseCanvasConfig, spec: CanvasSpec) -> Phase:
    """Build the canvas of a section."""
    return Phase(config, spec)
