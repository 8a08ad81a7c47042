"""Curves of settings that no compiled function contains share the functions."""

import numpy as np
import pytest
import soundfile
from calling import EAGERLY

from tfdream.config import DreamConfig
from tfdream.synthesis.dream import Dreamer
from tfdream.synthesis.rendering.curved_processor import Adjustment
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.timelines import Timelines
from tfdream.synthesis.tile_optimizer import TileOptimizer

CURVES = {
    "optimizer.steps": {"points": [[0, 1], [1.5, 6]]},
    "optimizer.step_size": {"points": [[0, 0.1], [1.5, 0.5]], "easing": "smooth"},
}


@pytest.fixture
def config():
    return DreamConfig(tiles={"overlap_seconds": 0.05}, optimizer={"tolerance": 0.0}, curves=CURVES)


def test_tiles_with_other_steps_share_the_compiled_functions(run, song, config):
    dreamer = Dreamer(run, config)
    processor = dreamer.processor(Source(song, timelines=Timelines.of(config, song)))
    times = np.linspace(0, 2, 20)
    optimizers = [
        processor._processor({name: float(line(time)) for name, line in processor.lines.items()})
        for time in times
    ]
    assert len(processor._processors) == 1
    assert len({each.recipe.optimizer.step_size for each in optimizers}) > 5
    assert {id(each.functions) for each in optimizers} == {id(processor.base.functions)}
    assert {id(each.octaves) for each in optimizers} == {id(processor.base.octaves)}
    assert processor.steps == 6


@EAGERLY
def test_shared_functions_give_the_same_samples(run, song, config, tmp_path, monkeypatch):

    def dreamt(name):
        Dreamer(run, config)(song, tmp_path / name, RenderOptions(bits=32))
        return soundfile.read(tmp_path / name, dtype="float32")[0]

    shared = dreamt("shared.wav")
    monkeypatch.setattr(Adjustment, "includes", lambda self, name: False)
    monkeypatch.setattr(TileOptimizer, "with_recipe", lambda self, recipe: self)
    np.testing.assert_array_equal(shared, dreamt("built.wav"))
