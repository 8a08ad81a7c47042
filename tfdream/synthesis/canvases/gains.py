"""Bounded gains on the original's STFT."""

from typing import Literal

import tensorflow as tf

from tfdream.config import (
    CanvasConfig,
    LevelCanvasConfig,
    NotNegative,
    NotPositive,
    Positive,
    StftSpec,
)
from tfdream.errors import ConfigError
from tfdream.signal.blur import CellBlur
from tfdream.signal.decibels import db_to_amplitude
from tfdream.signal.stft import scale_cells, stft_to_waveform, waveform_to_stft
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context, masked
from tfdream.synthesis.canvases.masks import frame_seconds, louder

_LEAST_BOUND_DB = 1e-3


class StftGainsConfig(CanvasConfig):
    """Base of the sections of canvases with gains on the original's STFT."""

    adds_sound = False
    bound_db: Positive = 8.0
    """Largest gain and attenuation of a cell: the strength of the change."""
    blur_seconds: NotNegative = 0.0
    """Standard deviation of a blur of the gains in time: rough gains spill into silent cells."""
    blur_hz: NotNegative = 0.0
    """Standard deviation of a blur of the gains in frequency."""
    boost_above_db: NotPositive | None = None
    """Cells softer than this level relative to the tile's loudest are not amplified: no hiss."""
    stft: StftSpec = StftSpec()


class LevelGainsConfig(StftGainsConfig, LevelCanvasConfig):
    """Base of the sections of canvases with gains that translations can use."""

    def with_stft(self, stft: StftSpec) -> "LevelGainsConfig":
        if self.stft == stft:
            return self
        if "stft" in self.model_fields_set:
            raise ConfigError(
                "canvas.stft: the gains of a translation use the STFT of the run's frontend; "
                "remove it"
            )
        return self.model_copy(update={"stft": stft})

    def gain_stft(self, stft: StftSpec) -> StftSpec:
        return self.stft


class GainCanvasConfig(LevelGainsConfig):
    """Bounded gains on the original's STFT."""

    kind: Literal["gains"]


class Gains(Canvas):
    """A bounded gain, in dB, for every cell of the original's STFT.

    The values pass through a hyperbolic tangent, so that no gain exceeds the bound. Gains amplify
    and attenuate the cells of the original and add nothing new; they keep its phase.
    """

    config: StftGainsConfig

    def __init__(self, config: StftGainsConfig, spec: CanvasSpec) -> None:
        super().__init__(config, spec)
        self.bound_db = spec.bound_db
        self._blur = CellBlur(config.blur_seconds, config.blur_hz, config.stft, self.sample_rate)

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        stft = waveform_to_stft(waveform, self.config.stft)
        context = {"waveform": waveform, "stft": stft}
        if self.bound_db is not None:
            seconds = frame_seconds(stft, self.config.stft, self.sample_rate, start_seconds)
            context["bound_db"] = tf.maximum(self.bound_db.at(seconds), _LEAST_BOUND_DB)
        if self.config.boost_above_db is not None:
            context["boost"] = louder(stft, self.config.stft, self.config.boost_above_db)
        if self.mask is not None:
            context["mask"] = self.mask(stft, self.config.stft, start_seconds)
        return context

    def start(self, context: Context) -> tf.Tensor:
        return tf.zeros(tf.shape(context["stft"]))

    def gains_to_values(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        return gain_db  # bounded by the hyperbolic tangent when it is rendered

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        changed = self._changed(context["stft"], values, context)
        return stft_to_waveform(changed, self.config.stft, self.samples)

    def render_channels(
        self, values: tf.Tensor, context: Context, channels: tf.Tensor
    ) -> tf.Tensor:
        # All channels get the same gains, with which a silent channel stays silent, and the mean of
        # the channels is what `render` returns for their mean.
        def change(channel: tf.Tensor) -> tf.Tensor:
            stft = self._changed(waveform_to_stft(channel, self.config.stft), values, context)
            return stft_to_waveform(stft, self.config.stft, self.samples)

        # A loop, because one graph serves files of any number of channels.
        changed = tf.map_fn(change, tf.transpose(channels, [2, 0, 1]))
        return tf.transpose(changed, [1, 2, 0])

    def neighborhood_cells(self, seconds: float, hertz: float) -> tuple[int, int]:
        """Return the size of a neighborhood in frames and bins, given its extent to either side."""
        frames, bins = map(round, self.config.stft.extent(seconds, hertz, self.sample_rate))
        return 2 * frames + 1, 2 * bins + 1

    def _changed(self, stft: tf.Tensor, values: tf.Tensor, context: Context) -> tf.Tensor:
        """Return an STFT with the gains applied."""
        return scale_cells(stft, db_to_amplitude(self._gain_db(values, context)))

    def _gain_db(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        bound_db = context.get("bound_db", self.config.bound_db)
        gain_db = self._blur(bound_db * tf.tanh(values / bound_db))
        if "boost" in context:
            gain_db = tf.minimum(gain_db, gain_db * context["boost"])
        return masked(gain_db, context)


def build(config: GainCanvasConfig, spec: CanvasSpec) -> Gains:
    """Build the canvas of a section."""
    return Gains(config, spec)
