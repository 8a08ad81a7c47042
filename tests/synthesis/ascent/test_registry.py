import pytest
from extensions import extension

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.expressions import parse
from tfdream.synthesis.ascent.objectives import functions

OBJECTIVES = "tfdream.synthesis.ascent.objectives"
SOURCE = """
from tfdream.synthesis.ascent.objectives.base import Objective
from tfdream.synthesis.ascent.objectives.layers import layer_energy


def doubled(layer: str) -> Objective:
    return 2 * layer_energy(layer)


def _private(layer: str) -> Objective:
    return layer_energy(layer)


def helper(layer: str) -> str:
    return layer
"""


def test_an_objective_in_a_new_module_is_discovered(tmp_path):
    before = set(functions())
    with extension(OBJECTIVES, tmp_path, "doubled", SOURCE):
        assert set(functions()) == before | {"doubled"}
        assert parse("doubled() + layer_norm(conv1)", "conv2").layers == {"conv1", "conv2"}
        with pytest.raises(ConfigError, match=r"'triple' is not one of: .*doubled"):
            parse("triple()", "conv2")
    assert set(functions()) == before


def test_two_objectives_of_the_same_name_are_an_error(tmp_path):
    source = SOURCE.replace("doubled", "layer_norm")
    with (
        extension(OBJECTIVES, tmp_path, "another", source),
        pytest.raises(ValueError, match=r"both define layer_norm\(\); rename one"),
    ):
        functions()
