"""Canvases on the original's STFT, whose phase they keep: what it has, more or less of it."""

import math

import tensorflow as tf

from tfdream.config import GainCanvasConfig, MixtureCanvasConfig
from tfdream.signal.blur import blur
from tfdream.signal.stft import stft_to_waveform, waveform_to_stft
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context, masked
from tfdream.synthesis.canvases.masks import louder


class Gains(Canvas):
    """A bounded gain, in dB, for every cell of the original's STFT.

    The values pass through a hyperbolic tangent, so that no gain exceeds the bound. It can bring
    forward and hold back what the music has, and add nothing that it has not.
    """

    config: GainCanvasConfig | MixtureCanvasConfig

    def __init__(
        self, config: GainCanvasConfig | MixtureCanvasConfig, surroundings: CanvasSpec
    ) -> None:
        super().__init__(config, surroundings)
        spec, rate = config.stft, self.sample_rate
        self.blurred = (
            config.blur_seconds * rate / spec.hop_samples,
            config.blur_hz * spec.n_fft / rate,
        )

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        stft = waveform_to_stft(waveform, self.config.stft)
        context = {"waveform": waveform, "stft": stft}
        if self.config.boost_above_db is not None:
            context["boost"] = louder(stft, self.config.stft, self.config.boost_above_db)
        if self.mask is not None:
            context["mask"] = self.mask(stft, self.config.stft, start_seconds)
        return context

    def start(self, context: Context) -> tf.Tensor:
        return tf.zeros(tf.shape(context["stft"]))

    def values_of_gains(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        return gain_db  # which the hyperbolic tangent then bounds

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        changed = self._changed(context["stft"], values, context)
        return stft_to_waveform(changed, self.config.stft, self.samples)

    def render_channels(
        self, values: tf.Tensor, context: Context, channels: tf.Tensor
    ) -> tf.Tensor:
        # The same gains for each: what is on the left alone stays there, and the mean of the
        # channels is what `render` makes of their mean.
        changed = []
        for channel in tf.unstack(channels, axis=-1):
            stft = self._changed(waveform_to_stft(channel, self.config.stft), values, context)
            changed.append(stft_to_waveform(stft, self.config.stft, self.samples))
        return tf.stack(changed, axis=-1)

    def _changed(self, stft: tf.Tensor, values: tf.Tensor, context: Context) -> tf.Tensor:
        """An STFT with the gains."""
        gain = self._gain(values, context)
        return tf.complex(gain * tf.math.real(stft), gain * tf.math.imag(stft))

    def _gain(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        bound_db = self.config.bound_db
        gain_db = bound_db * tf.tanh(values / bound_db)
        if any(self.blurred):
            gain_db = blur(gain_db[..., tf.newaxis], self.blurred, max(self.blurred))[..., 0]
        if "boost" in context:
            gain_db = tf.minimum(gain_db, gain_db * context["boost"])
        return tf.exp(math.log(10) / 20 * masked(gain_db, context))


class Mixture(Gains):
    """Bounded gains, and beside them new sound: a complex number added to each cell of the STFT.

    What is added stays below a limit that follows the music: so many dB under the loudest cell near
    by. Beside a partial or around an attack there is room for new ones; where the recording is
    silent, there is none.
    """

    config: MixtureCanvasConfig

    def __init__(self, config: MixtureCanvasConfig, surroundings: CanvasSpec) -> None:
        super().__init__(config, surroundings)
        self.neighborhood = _cells(config, self.sample_rate)

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        context = super().analyze(waveform, start_seconds)
        loudest = tf.nn.max_pool2d(
            tf.abs(context["stft"])[..., tf.newaxis], self.neighborhood, strides=1, padding="SAME"
        )[..., 0]
        return {**context, "limit": loudest * 10 ** (self.config.added_db / 20)}

    def start(self, context: Context) -> tf.Tensor:
        return tf.zeros([*tf.unstack(tf.shape(context["stft"])), 3])

    def values_of_gains(self, gain_db: tf.Tensor, context: Context) -> tf.Tensor:
        return tf.pad(gain_db[..., tf.newaxis], [[0, 0], [0, 0], [0, 0], [0, 2]])  # nothing added

    def _changed(self, stft: tf.Tensor, values: tf.Tensor, context: Context) -> tf.Tensor:
        # In the gains' unit, so that one step size suits both.
        added = values[..., 1:] / self.config.bound_db
        share = added / tf.sqrt(1 + tf.reduce_sum(added**2, axis=-1, keepdims=True))
        addition = masked(context["limit"][..., tf.newaxis] * share, context)
        gained = super()._changed(stft, values[..., 0], context)
        return gained + tf.complex(addition[..., 0], addition[..., 1])


def _cells(config: MixtureCanvasConfig, sample_rate: int) -> tuple[int, int]:
    """The neighborhood of a cell, in frames and bins."""
    frames = round(config.neighborhood_seconds * sample_rate / config.stft.hop_samples)
    bins = round(config.neighborhood_hz * config.stft.n_fft / sample_rate)
    return 2 * frames + 1, 2 * bins + 1
