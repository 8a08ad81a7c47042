"""Discovery of sections, on a package that the test writes."""

import importlib
import pickle
import sys
from typing import Annotated

import pytest
from extensions import extension
from pydantic import Field

from tfdream.config import Config, validate
from tfdream.config.registry import Registered, list_modules, module_of, sections
from tfdream.errors import ConfigError

BASES = """
from tfdream.config import Config

class Shape(Config):
    kind: str

class RoundShape(Shape):
    radius: float = 1.0
"""
CIRCLE = """
from typing import Literal
from shapes.base import RoundShape

class CircleConfig(RoundShape):
    kind: Literal["circle", "disc"]
"""
SQUARE = """
from typing import Literal
from shapes.base import Shape
from shapes.circle import CircleConfig  # imported, not defined here
from tfdream.config import Config

class Corner(Config):
    degrees: int = 90

class SquareConfig(Shape):
    kind: Literal["square"]
    corners: tuple[Corner, ...] = ()
"""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """The package `shapes` with the modules base, circle, square and _private."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "shapes").mkdir()
    sources = {"__init__": "", "base": BASES, "circle": CIRCLE, "square": SQUARE, "_private": "1/0"}
    for name, source in sources.items():
        (folder / "shapes" / f"{name}.py").write_text(source)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("shapes.base")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "shapes"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def drawing(shapes):
    """A schema with registered sections: required, optional, repeated, and with a default."""
    any_shape = Annotated[shapes.Shape, Registered("shapes")]

    class Drawing(Config):
        main: any_shape = Field({"kind": "circle"}, validate_default=True)
        rounded: Annotated[shapes.RoundShape, Registered("shapes")] | None = None
        others: tuple[any_shape, ...] = ()

    return Drawing


def test_sections_are_those_that_the_modules_define(shapes):
    assert list_modules("shapes") == ["circle", "square"]
    available = sections("shapes", shapes.Shape)
    assert list(available) == ["circle", "disc", "square"]
    assert available["circle"] is available["disc"]
    assert list(sections("shapes", shapes.RoundShape)) == ["circle", "disc"]
    assert module_of(available["square"](kind="square")).__name__ == "shapes.square"


def test_a_mapping_is_validated_by_the_section_of_its_kind(drawing):
    loaded = drawing(main={"kind": "square", "corners": [{}]}, others=[{"kind": "disc"}])
    assert type(loaded.main).__name__ == "SquareConfig"
    assert loaded.main.corners[0].degrees == 90
    assert loaded.others[0].kind == "disc"
    assert drawing().main.kind == "circle"
    assert drawing(main=loaded.main).main is loaded.main


def test_a_config_with_sections_can_be_written_and_read(drawing):
    loaded = drawing(
        main={"kind": "square", "corners": [{"degrees": 60}]}, rounded={"kind": "disc"}
    )
    assert loaded.model_dump()["main"] == {"kind": "square", "corners": ({"degrees": 60},)}
    assert drawing(**loaded.model_dump()) == loaded
    assert drawing.model_validate_json(loaded.model_dump_json()) == loaded
    assert pickle.loads(pickle.dumps(loaded.main)) == loaded.main


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"main": "circle"}, "main='circle': settings with a 'kind' are required: one of circle"),
        ({"main": {}}, "main: 'kind' is missing; use one of: circle, disc, square"),
        ({"main": {"kind": "star"}}, "main: kind='star' is not one of: circle, disc, square"),
        ({"main": {"kind": ["disc"]}}, "is not one of: circle, disc, square"),
        ({"rounded": {"kind": "square"}}, "rounded: kind='square' is not one of: circle, disc"),
        ({"main": {"kind": "disc", "radius": "r"}}, "main.radius='r': "),
        ({"others": [{"kind": "disc"}, {"kind": "disc", "x": 1}]}, "'others.1.x'"),
        ({"main": {"kind": "square", "corners": [{"degrees": "d"}]}}, "main.corners.0.degrees='d'"),
    ],
)
def test_an_invalid_section_is_reported_with_its_key(drawing, content, text):
    with pytest.raises(ConfigError) as caught:
        validate(content, drawing, "it")
    assert text in str(caught.value)


def test_the_json_schema_is_the_union_of_the_sections(drawing):
    schema = drawing.model_json_schema()
    assert {"CircleConfig", "SquareConfig", "Corner"} <= set(schema["$defs"])
    assert set(schema["properties"]["main"]["discriminator"]["mapping"]) == {
        *("circle", "disc", "square")
    }
    assert schema["properties"]["main"]["default"] == {"kind": "circle"}
    assert len(schema["properties"]["others"]["items"]["oneOf"]) == 2


def test_a_placed_module_is_available_at_once(drawing, shapes, tmp_path):
    source = CIRCLE.replace('"circle", "disc"', '"star"').replace("Circle", "Star")
    with extension("shapes", tmp_path, "star", source):
        assert "star" in sections("shapes", shapes.Shape)
        assert drawing(main={"kind": "star"}).main.radius == 1
        assert "StarConfig" in drawing.model_json_schema()["$defs"]
        with pytest.raises(ConfigError, match="one of: circle, disc, square, star"):
            validate({"main": {"kind": "line"}}, drawing, "it")
    assert "star" not in sections("shapes", shapes.Shape)


def test_two_sections_of_one_kind_are_an_error(shapes, tmp_path):
    with (
        extension("shapes", tmp_path, "double", CIRCLE),
        pytest.raises(ValueError, match=r"double and shapes.circle both define kind=circle"),
    ):
        sections("shapes", shapes.Shape)
