"""Canvases: the parametrizations of audio that recipes optimize.

Each module of this package is a canvas: a section (a `CanvasConfig` with its kind) and a function
``build(config, spec)``. Modules are discovered by listing the package.

A canvas has no state. `analyze` computes a context from the original and `start` the values that
represent it unchanged; `view` turns values into the model's input, differentiably, and `render`
into a waveform. Waveforms are float32 `[batch, samples]` at the model's sample rate.

Samples, gains and mixtures are viewed through the rendered waveform: the optimized view is that of
the written sound. Levels and phases are viewed directly; a level gets its phase in `render`, and
the parts of it that no waveform can have are lost.
"""

from tfdream.config import CanvasConfig
from tfdream.config.registry import module_of
from tfdream.errors import ConfigError
from tfdream.synthesis.canvases.base import Canvas, CanvasSpec, Context

__all__ = ["Canvas", "CanvasSpec", "Context", "build"]


def build(config: CanvasConfig, spec: CanvasSpec) -> Canvas:
    """Build the canvas of a section.

    Raises:
      ConfigError: if the frontend is not differentiable, or does not fit the canvas.
    """
    if not spec.frontend.in_graph:
        raise ConfigError(
            "frontend.kind=features computes hand-made features, which have no gradient with "
            "respect to the waveform; use frontend.kind=mel, constant_q, amplitude or raw"
        )
    canvas: Canvas = module_of(config).build(config, spec)
    return canvas
