"""Canvases: what is optimised when audio is changed.

A canvas has no state. `analyse` makes a context of the original, `start` the values that stand for
it unchanged; `view` turns values into what the network sees, differentiably, and `render` into
what a listener hears. Waveforms are float32 `[batch, samples]` at the model's sample rate.

Canvases differ in how far the view is from the sound. Samples and gains are viewed through the
rendered waveform: what is optimised is what is heard. A log magnitude gets its phase afterwards,
and loses what no phase can give it.
"""

import abc
import math
from typing import Any

import tensorflow as tf

from tfdream.config import (
    CanvasConfig,
    GainCanvasConfig,
    LogMagnitudeCanvasConfig,
    WaveformCanvasConfig,
)
from tfdream.errors import ConfigError
from tfdream.signal.frontend import Frontend, SpectrogramFrontend
from tfdream.signal.phase import griffin_lim
from tfdream.signal.stft import (
    low_pass,
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)

Context = dict[str, tf.Tensor]
"""What a canvas keeps of the original: tensors by name, so that one graph serves every tile."""


class Canvas(abc.ABC):
    """What is optimised. Values are float32 `[batch, …]`."""

    def __init__(
        self, config: Any, frontend: Frontend, samples: int, resampled: bool = False
    ) -> None:
        self.config = config
        self.frontend = frontend
        self.samples = samples
        self.resampled = resampled

    @abc.abstractmethod
    def analyse(self, waveform: tf.Tensor) -> Context:
        """What the other methods need of the original."""

    @abc.abstractmethod
    def start(self, context: Context) -> tf.Tensor:
        """The values that leave the original as it is."""

    @abc.abstractmethod
    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """The waveform, `[batch, samples]`."""

    def view(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """The model's input; that of the rendered waveform, unless a canvas knows better.

        Where the change will be resampled to the file's own rate, its highest frequencies are left
        out of the view, as they will be of the file.
        """
        changed = self.render(values, context)
        if self.resampled:
            original = context["waveform"]
            changed = original + low_pass(changed - original)
        return self.frontend(changed)

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """The magnitude that the view wants the sound to have, `[batch, frames, bins]`.

        In the STFT of a spectrogram frontend; that of the rendered waveform, unless a canvas knows
        better.

        Raises:
          ConfigError: if the frontend has no STFT.
        """
        if not isinstance(self.frontend, SpectrogramFrontend):
            raise ConfigError("a frontend of raw samples has no magnitude")
        return tf.abs(waveform_to_stft(self.render(values, context), self.frontend.spec))


class Waveform(Canvas):
    """The samples themselves. It can put sound where there was none."""

    config: WaveformCanvasConfig

    def analyse(self, waveform: tf.Tensor) -> Context:
        return {"waveform": waveform}

    def start(self, context: Context) -> tf.Tensor:
        return context["waveform"]

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        return values


class Gains(Canvas):
    """A bounded gain, in dB, for every cell of the original's STFT, whose phase is kept.

    The values pass through a hyperbolic tangent, so that no gain exceeds the bound. It can bring
    forward and hold back what the music has, and add nothing that it has not.
    """

    config: GainCanvasConfig

    def analyse(self, waveform: tf.Tensor) -> Context:
        return {"waveform": waveform, "stft": waveform_to_stft(waveform, self.config.stft)}

    def start(self, context: Context) -> tf.Tensor:
        return tf.zeros(tf.shape(context["stft"]))

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        bound_db = self.config.bound_db
        gain_db = bound_db * tf.tanh(values / bound_db)
        gain = tf.exp(math.log(10) / 20 * gain_db)
        stft = context["stft"]
        scaled = tf.complex(gain * tf.math.real(stft), gain * tf.math.imag(stft))
        return stft_to_waveform(scaled, self.config.stft, self.samples)


class LogMagnitude(Canvas):
    """The level of every cell of the frontend's STFT, on the frontend's scale, at full resolution.

    Levels stop at some headroom above the loudest of the original: without a bound, dB would grow
    for ever. The phase is the original's, or found by Griffin–Lim from there.

    Source: "Dreaming in Music", section III-C (there on a resized image).

    Raises:
      ConfigError: if the frontend is not a picture of levels alone.
    """

    config: LogMagnitudeCanvasConfig
    frontend: SpectrogramFrontend

    def __init__(
        self,
        config: LogMagnitudeCanvasConfig,
        frontend: Frontend,
        samples: int,
        resampled: bool = False,
    ) -> None:
        if not isinstance(frontend, SpectrogramFrontend) or frontend.shows_phase:
            raise ConfigError(
                "canvas.kind=log_magnitude needs a model that sees levels alone "
                "(frontend.kind=amplitude); use canvas.kind=gains or waveform"
            )
        super().__init__(config, frontend, samples, resampled)
        self.spec = frontend.spec

    def analyse(self, waveform: tf.Tensor) -> Context:
        stft = waveform_to_stft(waveform, self.spec)
        power = stft_to_power(stft)
        context = {
            "level": self.frontend.scale.power_to_level(power),
            "phase": stft_to_phase(stft),
        }
        if self.config.headroom_db is not None:
            loudest = tf.reduce_max(power, axis=[1, 2], keepdims=True)
            highest = loudest * 10 ** (self.config.headroom_db / 10)
            context["highest"] = self.frontend.scale.power_to_level(highest)
        return context

    def start(self, context: Context) -> tf.Tensor:
        return context["level"]

    def view(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        return self.frontend.level_to_image(self._bounded(values, context))

    def magnitude(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        return self.frontend.scale.level_to_magnitude(self._bounded(values, context))

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        magnitude, phase = self.magnitude(values, context), context["phase"]
        if self.config.phase == "original":
            return stft_to_waveform(to_complex(magnitude, phase), self.spec, self.samples)
        return griffin_lim(
            magnitude,
            self.spec,
            self.samples,
            self.config.iterations,
            self.config.momentum,
            phase,
        )

    def _bounded(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        return tf.minimum(values, context["highest"]) if "highest" in context else values


def build(
    config: CanvasConfig, frontend: Frontend, samples: int, resampled: bool = False
) -> Canvas:
    """The canvas that a configuration names.

    Args:
      config: of the canvas.
      frontend: through which the network looks at it.
      samples: of a tile.
      resampled: whether the change goes into a file of another rate.

    Raises:
      ConfigError: if the canvas does not go with the frontend, or nothing does.
    """
    if not frontend.in_graph:
        raise ConfigError(
            "the network hears hand-made features, which have no gradient back to the sound; "
            "use one of frontend.kind=raw or amplitude"
        )
    if isinstance(config, GainCanvasConfig):
        return Gains(config, frontend, samples, resampled)
    if isinstance(config, LogMagnitudeCanvasConfig):
        return LogMagnitude(config, frontend, samples, resampled)
    return Waveform(config, frontend, samples, resampled)
