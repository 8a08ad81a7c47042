"""The samples as a canvas."""

import tensorflow as tf

from tfdream.config import StftSpec, WaveformCanvasConfig
from tfdream.signal.stft import stft_to_waveform, waveform_to_stft
from tfdream.synthesis.canvases.base import Canvas, Context, masked

# In which a mask takes parts of a change away.
_MASK_STFT = StftSpec(n_fft=2048, hop_samples=512)


class Waveform(Canvas):
    """The samples themselves. It can put sound where there was none."""

    config: WaveformCanvasConfig

    @property
    def bound(self) -> float | None:
        return self.config.bound

    def analyze(self, waveform: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> Context:
        context = {"waveform": waveform}
        if self.mask is not None:
            stft = waveform_to_stft(waveform, _MASK_STFT)
            context["mask"] = self.mask(stft, _MASK_STFT, start_seconds)
        return context

    def start(self, context: Context) -> tf.Tensor:
        return context["waveform"]

    def render(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        if self.mask is None:
            return values
        original = context["waveform"]
        change = masked(waveform_to_stft(values - original, _MASK_STFT), context)
        return original + stft_to_waveform(change, _MASK_STFT, self.samples)
