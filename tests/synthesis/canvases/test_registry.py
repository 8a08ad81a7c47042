from extensions import extension

from tfdream.config import CanvasConfig, DreamConfig, validate
from tfdream.config.registry import sections
from tfdream.signal.frontends.raw import RawFrontend
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import CanvasSpec

CANVASES = "tfdream.synthesis.canvases"
SOURCE = """
from typing import Literal

from tfdream.synthesis.canvases.waveform import Waveform, WaveformCanvasConfig


class MirroredCanvasConfig(WaveformCanvasConfig):
    kind: Literal["mirrored"]


class Mirrored(Waveform):
    def render(self, values, context):
        return -values


def build(config, spec):
    return Mirrored(config, spec)
"""


def test_a_canvas_in_a_new_module_is_discovered(tmp_path):
    assert "mirrored" not in sections(CANVASES, CanvasConfig)
    with extension(CANVASES, tmp_path, "mirrored", SOURCE):
        assert "mirrored" in sections(CANVASES, CanvasConfig)
        config = validate({"canvas": {"kind": "mirrored", "bound": 0.5}}, DreamConfig, "test")
        canvas = canvases.build(config.canvas, CanvasSpec(RawFrontend(), 100, 8000))
        assert (type(canvas).__name__, canvas.limits) == ("Mirrored", (-0.5, 0.5))
    assert "mirrored" not in sections(CANVASES, CanvasConfig)
