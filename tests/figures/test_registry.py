"""Every module in `tfdream.figures` that has options is a figure: contract and discovery."""

import sys

import pytest
from calling import answer, invoke, refusal

from tfdream import figures
from tfdream.figures.base import FigureOptions

EXTRA = """
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tfdream.figures.base import Argument, Drawing, FigureOptions
from tfdream.figures.parts.sheet import new_subplots


class Options(FigureOptions):
    \"\"\"Draw the extra figure of RUN.\"\"\"

    run: Annotated[Path, Argument()]
    scale: float = Field(1.0, gt=0, description="Scale of the axis.")


def draw(options):
    figure, (axis,) = new_subplots(1)
    axis.set_xlim(0, options.scale)
    return Drawing(figure, {"scale": options.scale})
"""

# Settings that keep the computation small.
SMALL = {
    "octaves": ("--set", "octaves.count=2"),
    "gram": ("--model", "{run}", "--config", "transfer/lil_data", "--layer", "conv1"),
    "autocorrelograms": ("--set", "prepare.sample_rate=8000", "--set", "frontend.lags=20"),
}


@pytest.fixture
def check_contract(trained, dataset, song, tmp_path):
    """Return a function that checks what holds for every figure."""
    values = {"audio": song, "run": trained[0], "dataset": dataset}

    def check(name):
        schema = figures.load(name).Options
        assert issubclass(schema, FigureOptions)
        command = ("plot", name.replace("_", "-"))
        help_text = invoke(*command, "--help").stdout
        assert schema.__doc__.split()[0] in help_text
        arguments, flags = [], []
        for field_name, field in schema.model_fields.items():
            if field.description is None:
                arguments.append(values[field_name])
            elif field.is_required():
                flags += ["--model", values[field_name]]
        flags += [text.format(**values) for text in SMALL.get(name, ())]

        output = tmp_path / "folder" / f"{name}.png"
        output.parent.mkdir()
        wrong = refusal(*command, *arguments, output.with_suffix(".jpg"), *flags)
        assert f"'{name}.jpg' does not end in one of" in wrong
        assert list(output.parent.iterdir()) == []
        assert answer(*command, *arguments, output, *flags)["figure"] == str(output)
        assert [path.name for path in output.parent.iterdir()] == [f"{name}.png"]
        assert output.read_bytes().startswith(b"\x89PNG")

    return check


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", figures.names())
def test_contract(check_contract, name):
    check_contract(name)


def test_module_in_a_folder_becomes_a_figure(check_contract, trained, tmp_path, monkeypatch):
    folder = tmp_path / "extensions"
    folder.mkdir()
    (folder / "extra_figure.py").write_text(EXTRA)
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(folder)])
    try:
        assert "extra_figure" in figures.names()
        assert "extra-figure" in invoke("plot", "--help").stdout
        check_contract("extra_figure")
        output = tmp_path / "a.png"
        result = answer("plot", "extra-figure", trained[0], output, "--scale", 2)
        assert result == {"figure": str(output), "scale": 2.0}
        wrong = invoke("plot", "extra-figure", trained[0], output, "--scale", 0)
        assert wrong.exit_code == 2
        assert "'--scale': Input should be greater than 0" in wrong.stderr
    finally:
        sys.modules.pop("tfdream.figures.extra_figure", None)
