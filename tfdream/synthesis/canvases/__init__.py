"""Canvases: what is optimized when audio is changed.

A canvas has no state. `analyze` makes a context of the original, `start` the values that stand for
it unchanged; `view` turns values into what the network sees, differentiably, and `render` into
what a listener hears. Waveforms are float32 `[batch, samples]` at the model's sample rate.

Canvases differ in how far the view is from the sound. Samples, gains and mixtures are viewed
through the rendered waveform: what is optimized is what is heard. Level and phase are viewed as
they are; a level gets its phase afterwards, and loses what no phase can give it.
"""

from tfdream.config import CanvasConfig, GainCanvasConfig, MixtureCanvasConfig, WaveformCanvasConfig
from tfdream.errors import ConfigError
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context
from tfdream.synthesis.canvases.gains import Gains, Mixture
from tfdream.synthesis.canvases.spectrogram import Spectrogram
from tfdream.synthesis.canvases.waveform import Waveform

__all__ = [
    "Canvas",
    "Context",
    "Gains",
    "Mixture",
    "Spectrogram",
    "Surroundings",
    "Waveform",
    "build",
]


def build(config: CanvasConfig, surroundings: CanvasSpec) -> Canvas:
    """The canvas that a configuration names.

    Raises:
      ConfigError: if the canvas does not go with the frontend, or nothing does.
    """
    if not surroundings.frontend.in_graph:
        raise ConfigError(
            "the network hears hand-made features, which have no gradient back to the sound; "
            "use one of frontend.kind=mel, constant_q, amplitude or raw"
        )
    if isinstance(config, MixtureCanvasConfig):
        return Mixture(config, surroundings)
    if isinstance(config, GainCanvasConfig):
        return Gains(config, surroundings)
    if isinstance(config, WaveformCanvasConfig):
        return Waveform(config, surroundings)
    return Spectrogram(config, surroundings)
