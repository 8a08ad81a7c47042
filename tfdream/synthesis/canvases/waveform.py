"""The samples of the waveform."""

from typing import Literal

import tensorflow as tf

from tfdream.config import CanvasConfig, Positive, StftSpec
from tfdream.signal.stft import stft_to_waveform, waveform_to_stft
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context, masked

# The STFT in which a mask removes parts of a change.
_MASK_STFT = StftSpec(n_fft=2048, hop_samples=512)


class WaveformCanvasConfig(CanvasConfig):
    """The samples of the waveform."""

    kind: Literal["waveform"]
    bound: Positive | None = None
    """Largest absolute sample, 1 at full scale; null removes the bound."""
    peak: Positive | None = None
    """Largest absolute sample to which each tile is scaled after the optimization; null leaves the
    level as it is. Without a bound, an objective can rise until the samples overflow."""


class Waveform(Canvas):
    """The samples themselves; unlike gains, they can add sound where the original is silent."""

    config: WaveformCanvasConfig

    @property
    def limits(self) -> tuple[float, float] | None:
        bound = self.config.bound
        return None if bound is None else (-bound, bound)

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        context = {"waveform": waveform}
        if self.mask is not None:
            stft = waveform_to_stft(waveform, _MASK_STFT)
            context["mask"] = self.mask(stft, _MASK_STFT, start_seconds)
        return context

    def start(self, context: Context) -> tf.Tensor:
        return context["waveform"]

    def finish(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        if self.config.peak is None:
            return values
        largest = tf.reduce_max(tf.abs(values), axis=1, keepdims=True)
        return self.config.peak * tf.math.divide_no_nan(values, largest)

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        if self.mask is None:
            return values
        original = context["waveform"]
        change = masked(waveform_to_stft(values - original, _MASK_STFT), context)
        return original + stft_to_waveform(change, _MASK_STFT, self.samples)


def build(config: WaveformCanvasConfig, spec: CanvasSpec) -> Waveform:
    """Build the canvas of a section."""
    return Waveform(config, spec)
