"""Bounded gains on the original's STFT, and new sound within limits that follow its level."""

from typing import Annotated, Literal

import tensorflow as tf
from pydantic import Field

from tfdream.config import NotNegative
from tfdream.synthesis.canvases.base import CanvasSpec, Context, masked
from tfdream.synthesis.canvases.gains import Gains, StftGainsConfig


class MixtureCanvasConfig(StftGainsConfig):
    """Bounded gains on the original's STFT, and new sound within limits that follow its level."""

    kind: Literal["mixture"]
    added_db: Annotated[float, Field(le=20, allow_inf_nan=False)] = -20.0
    """Limit of the sound added to a cell, relative to the loudest cell of its neighborhood."""
    neighborhood_seconds: NotNegative = 0.05
    """Extent of the neighborhood of a cell in time, to either side."""
    neighborhood_hz: NotNegative = 100.0
    """Extent of the neighborhood of a cell in frequency, to either side."""


class Mixture(Gains):
    """Bounded gains, and a complex number that is added to each cell of the STFT.

    The added number is limited to some dB below the loudest cell of the neighborhood. Sound can be
    added beside a partial or around an attack, but not where the file is silent.
    """

    config: MixtureCanvasConfig

    def __init__(self, config: MixtureCanvasConfig, spec: CanvasSpec) -> None:
        super().__init__(config, spec)
        self.neighborhood = self.neighborhood_cells(
            config.neighborhood_seconds, config.neighborhood_hz
        )

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        context = super().analyze(waveform, start_seconds)
        loudest = tf.nn.max_pool2d(
            tf.abs(context["stft"])[..., tf.newaxis], self.neighborhood, strides=1, padding="SAME"
        )[..., 0]
        return {**context, "limit": loudest * 10 ** (self.config.added_db / 20)}

    def start(self, context: Context) -> tf.Tensor:
        return tf.zeros([*tf.unstack(tf.shape(context["stft"])), 3])

    def gains_to_values(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        return tf.pad(gain_db[..., tf.newaxis], [[0, 0], [0, 0], [0, 0], [0, 2]])  # nothing added

    def _changed(self, stft: tf.Tensor, values: tf.Tensor, context: Context) -> tf.Tensor:
        # In the unit of the gains, so that one step size suits both.
        added = values[..., 1:] / self.config.bound_db
        share = added / tf.sqrt(1 + tf.reduce_sum(added**2, axis=-1, keepdims=True))
        addition = masked(context["limit"][..., tf.newaxis] * share, context)
        gained = super()._changed(stft, values[..., 0], context)
        return gained + tf.complex(addition[..., 0], addition[..., 1])


def build(config: MixtureCanvasConfig, spec: CanvasSpec) -> Mixture:
    """Build the canvas of a section."""
    return Mixture(config, spec)
