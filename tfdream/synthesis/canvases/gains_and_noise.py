"""Bounded gains on the original's STFT; noise replaces what would be amplified too much."""

from typing import Literal

import tensorflow as tf

from tfdream.config import NotNegative, NotPositive
from tfdream.signal.decibels import db_to_amplitude
from tfdream.signal.noise import white_noise
from tfdream.signal.stft import scale_cells, stft_to_power, waveform_to_stft
from tfdream.synthesis.canvases.base import CanvasSpec, Context
from tfdream.synthesis.canvases.gains import Gains, LevelGainsConfig

_TINY = 1e-12


class GainsAndNoiseCanvasConfig(LevelGainsConfig):
    """Bounded gains on the original's STFT, and noise where they exceed a limit."""

    kind: Literal["gains_and_noise"]
    noise_above_db: NotNegative = 12.0
    """Largest amplification of a cell. Noise with the level of the cell's neighborhood supplies the
    rest of a larger gain."""
    floor_db: NotPositive = -80.0
    """Least level that the noise assumes for a neighborhood, relative to the tile's loudest."""
    neighborhood_seconds: NotNegative = 0.02
    """Extent of the neighborhood of a cell in time, to either side."""
    neighborhood_hz: NotNegative = 60.0
    """Extent of the neighborhood of a cell in frequency, to either side."""


class GainsAndNoise(Gains):
    """Bounded gains up to a limit, and noise.

    A large gain would amplify the hiss between the partials of the original. Here the gains stop at
    `noise_above_db`, and white noise is scaled in each cell so that the mean power of the
    neighborhood rises by the complete gain. The noise depends on the position in the file alone, so
    that neighboring tiles continue each other, and it is the same in every channel.
    """

    config: GainsAndNoiseCanvasConfig

    def __init__(self, config: GainsAndNoiseCanvasConfig, spec: CanvasSpec) -> None:
        super().__init__(config, spec)
        self.neighborhood = self.neighborhood_cells(
            config.neighborhood_seconds, config.neighborhood_hz
        )

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        context = super().analyze(waveform, start_seconds)
        power = stft_to_power(context["stft"])[..., tf.newaxis]
        mean = tf.nn.avg_pool2d(power, self.neighborhood, strides=1, padding="SAME")[..., 0]
        loudest = tf.reduce_max(power, axis=[1, 2, 3])[:, tf.newaxis, tf.newaxis]
        level = tf.sqrt(tf.maximum(mean, loudest * db_to_amplitude(self.config.floor_db) ** 2))
        starts = tf.cast(tf.round(start_seconds * self.sample_rate), tf.int64)
        starts = tf.broadcast_to(starts, tf.shape(waveform)[:1])
        noise = waveform_to_stft(white_noise(starts, self.samples), self.config.stft)
        deviation = tf.sqrt(tf.reduce_mean(stft_to_power(noise), axis=[1, 2], keepdims=True))
        return {**context, "noise": scale_cells(noise, level / deviation)}

    def _changed(self, stft: tf.Tensor, values: tf.Tensor, context: Context) -> tf.Tensor:
        limit_db = self.config.noise_above_db
        gain_db = self._gain_db(values, context)
        gained = scale_cells(stft, db_to_amplitude(tf.minimum(gain_db, limit_db)))
        excess = db_to_amplitude(gain_db) ** 2 - db_to_amplitude(limit_db) ** 2
        share = tf.where(excess > 0, tf.sqrt(tf.maximum(excess, _TINY)), 0.0)
        return gained + scale_cells(context["noise"], share)


def build(config: GainsAndNoiseCanvasConfig, spec: CanvasSpec) -> GainsAndNoise:
    """Build the canvas of a section."""
    return GainsAndNoise(config, spec)
