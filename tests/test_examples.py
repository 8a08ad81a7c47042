"""The scripts and the notebook of examples/ run on composed songs, with small settings."""

import ast
import json
import runpy
from pathlib import Path

import matplotlib
import pytest
from calling import EAGERLY

from tfdream.corpus.styles import write_corpus

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = (
    "prepare.sample_rate=8000",
    "prepare.clip_seconds=1",
    "prepare.folds=2",
    "frontend.bands=32",
    "model={name: softmax}",
    "training.epochs=1",
    "training.augmentation=[]",
)
FEW_STEPS = ("optimizer.steps=2", "tiles.overlap_seconds=0.05")


def run_script(name, *arguments):
    runpy.run_path(str(EXAMPLES / name))["main"](*map(str, arguments))


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder of eight songs of four styles, of one clip each."""
    folder = tmp_path_factory.mktemp("corpus") / "songs"
    write_corpus(folder, tracks_per_style=2, seconds=1.0, sample_rate=8000, seed=0)
    return folder


@EAGERLY
def test_train_and_evaluate(songs, capsys):
    run_script("train_and_evaluate.py", songs.parent, *SMALL)
    assert "of 4 held-out clips are correct" in capsys.readouterr().out
    assert (songs.parent / "run").is_dir()


@EAGERLY
def test_dream_toward_a_class(tmp_path, trained, song, capsys):
    output = tmp_path / "dreamt.wav"
    run_script("dream_toward_a_class.py", trained[0], song, output, "tones", *FEW_STEPS)
    values = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert float(values["rendered"]) > float(values["before"])
    assert output.is_file()


@pytest.mark.parametrize("label", ["hip hop", "Rock #1", "a: b", "it's"])
def test_labels_may_have_any_name(label, monkeypatch):
    recipes = []

    def dream(audio, output, run, recipe):
        recipes.append(recipe)
        return dict.fromkeys(
            ("objective", "objective_before", "objective_after", "objective_rendered"), 0.0
        )

    monkeypatch.setattr("tfdream.synthesis.dream.dream", dream)
    monkeypatch.setattr("tfdream.runs.Run.open", lambda folder: None)
    run_script("dream_toward_a_class.py", "run", "a.wav", "b.wav", label)
    constants = [each.value for each in ast.walk(ast.parse(recipes[0].objective))
                 if isinstance(each, ast.Constant)]  # fmt: skip
    assert label in constants


@EAGERLY
def test_transfer_and_compare(tmp_path, songs, capsys):
    output = tmp_path / "out.wav"
    small = ("network.options.filters=16", "network.sample_rate=8000", "network.clip_seconds=1")
    content, style = songs / "strings" / "strings-01.flac", songs / "techno" / "techno-01.flac"
    run_script("transfer_and_compare.py", content, style, output, *small, *FEW_STEPS)
    assert "style distance" in capsys.readouterr().out
    assert output.is_file()


@EAGERLY
def test_notebook(tmp_path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "demo_corpus.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    namespace = {}
    for number, cell in enumerate(cells):
        assert not cell["outputs"], "remove the outputs before you commit the notebook"
        exec(compile("".join(cell["source"]), cell["id"], "exec"), namespace)
        if number == 0:  # sizes for a test
            namespace |= {"SECONDS": 2.5, "SONGS_PER_STYLE": 3, "EPOCHS": 1, "STEPS": 1}
    result = namespace["result"]
    assert result["objective_rendered"] > result["objective_before"]
