"""The scripts that reproduce the four documents: steps, report, composed archives, whole runs."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tfdream import config
from tfdream.cli import main
from tfdream.datasets.sources.find import read_source

SCRIPTS = Path(__file__).parents[1] / "tools" / "reproduce"
DOCUMENTS = (
    "dreaming_in_music",
    "generation_of_music",
    "music_generation_style_transfer",
    "music_style_transformation",
)
SHORTEST = DOCUMENTS[-1]


@pytest.fixture
def tools(monkeypatch):
    """The modules that the scripts share, with songs of a fifth of a second."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    modules = SimpleNamespace(
        archives=import_module("archives"), reproduction=import_module("reproduction")
    )
    monkeypatch.setattr(
        modules.archives,
        "compose",
        lambda style, seed, seconds, rate: np.full((rate // 5, 2), seed / 1e4),
    )
    return modules


@pytest.fixture
def job(tools, tmp_path):
    return tools.reproduction.Reproduction(tmp_path / "archive", tmp_path / "out", tiny=True)


def test_finished_steps_are_not_repeated(job, tools, monkeypatch):
    calls = []
    monkeypatch.setattr(tools.reproduction, "_call", lambda words: calls.append(words) or {"n": 1})
    for _ in range(2):
        assert job.step("evaluate", job.path("run"), job.path("dataset")) == {"n": 1}
    assert calls == [["evaluate", str(job.path("run")), str(job.path("dataset"))]]
    job.step("evaluate", job.path("run"), job.path("dataset"), "--fold", 1)
    assert len(calls) == 2


def test_a_step_is_a_command(job, monkeypatch):
    monkeypatch.setattr("gc.collect", lambda *_: 0)  # it takes a second after many tests
    assert "lil_data" in job.step("configs")["configs"]


def test_a_command_that_fails_ends_the_script(job, capsys):
    with pytest.raises(SystemExit):
        job.step("layers", job.path("no_run"))
    assert "Error: " in capsys.readouterr().err
    assert not list(job.path().glob("steps/*"))


def test_the_report_has_tables_and_figures(job):
    job.title("Section")
    job.table(("", "published", "here"), [("accuracy", "80.83 %", 0.123456), ("F1", None, 2)])
    job.figure(job.path("a", "b.png"), "Figure 1")
    report = job.write_report("A document").read_text()
    assert report.startswith("# A document\n")
    assert "| accuracy | 80.83 % | 0.1235 |\n| F1 | – | 2 |" in report
    assert "![Figure 1](a/b.png)" in report


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("fma", {"Rock", "Electronic", "Classical", "Hip-Hop", "Pop"}),
        ("gtzan", {"blues", "classical", "jazz", "metal"}),
        ("mixes", {"future_bass", "hardstyle", "house", "lofi", "trap"}),
        ("playlists", {"c_pop", "melodic_death_metal"}),
    ],
)
def test_composed_archives_have_the_layouts_of_the_real_ones(tools, name, labels, tmp_path):
    getattr(tools.archives, name)(tmp_path)
    tracks, skipped = read_source(tmp_path)
    assert {track.label for track in tracks} == labels
    assert skipped == []
    if name == "fma":
        assert tracks[0].name == "fma_medium/000/000002.mp3"
        assert {track.fold for track in tracks} == {0, 1, 2}


# Whatever a script reads of the results of its steps.
RESULT = {
    **dict.fromkeys(("tracks", "clips", "clip_accuracy", "macro_f1", "epochs", "steps"), 1),
    **{
        f"{name}_{when}": 1.0
        for name in ("objective", "style_loss")
        for when in ("before", "after", "rendered")
    },
    "metrics": {"accuracy": 0.5, "loss": 1.0},
    "labels": ["a", "b"],
    "layers": [{"name": "conv1", "type": "Conv2D", "output_shape": [8, 8, 1]}],
    "verdicts": [{"sound": "content", "style_distance": 0.5}],
}


def check_call(words):
    """Check the options of a command, and the settings of its configuration; return the name."""
    name, *arguments = words
    command = main.commands[name]
    if name == "plot":
        name, *arguments = arguments
        command = command.get_command(None, name)
    given = command.make_context(name, arguments).params
    overrides = given.get("overrides", ())
    if name in ("prepare", "train"):
        config.load_experiment(given.get("name") or given["config_name"], overrides)
    for recipe in given.get("recipes", [given["name"]] if name == "transfer" else []):
        config.load_transfer(recipe, overrides)
    schemas = {"dream": config.DreamConfig, "translate": config.TranslateConfig}
    if name in schemas:
        config.load(given["name"], schemas[name], overrides)
    return name


@pytest.mark.parametrize("tiny", [True, False])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_step_is_a_valid_command_with_valid_settings(
    name, tiny, tools, tmp_path, monkeypatch
):
    """Nothing is computed: the steps are parsed, and results are made up."""
    script = import_module(name)
    archive, called = tmp_path / "archive", []
    gtzan = [f"genres/{genre}" for genre in ("blues", "classical", "jazz", "metal")]
    for genre in (*gtzan, "lofi", "future_bass", "house", "trap"):
        (archive / genre).mkdir(parents=True)
        (archive / genre / f"{Path(genre).name}.00000.wav").touch()
    job = tools.reproduction.Reproduction(archive, tmp_path / "out", tiny)
    result = RESULT | {key: str(job.path(f"{key}.png")) for key in ("losses", "spectrograms")}

    def call(words):
        called.append(check_call(words))
        return result

    monkeypatch.setattr(tools.reproduction, "_call", call)
    row = {"epoch": "1", "loss": "1", "seconds": "1", "val_macro_f1": "1"}
    labels = ["future_bass", "lofi"]
    monkeypatch.setattr(tools.reproduction.Reproduction, "labels", lambda job, dataset: labels)
    for stand_in, value in {
        "write_clip": lambda job, *_: job.path("clip.wav"),
        "read_csv": lambda path: [row],
        "shape": lambda original, changed: (1.0, 1.0, 1.0),
    }.items():
        if hasattr(script, stand_in):
            monkeypatch.setattr(script, stand_in, value)
    getattr(script, name)(job)
    assert {"prepare", "train", "evaluate", "spectrograms"} <= set(called)
    report = job.write_report(script.TITLE).read_text()
    assert report.count("![") >= 4
    assert "published" in report


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_has_a_page(name):
    page = SCRIPTS.parents[1] / "docs" / "reproduce" / f"{name}.md"
    assert f"python tools/reproduce/{name}.py" in page.read_text(encoding="utf-8")


def reproduce(name, folder):
    """Run the script of a document on a composed archive."""
    call = [sys.executable, SCRIPTS / f"{name}.py", folder / "archive", folder / "out", "--tiny"]
    return subprocess.run(call, capture_output=True, text=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_tiny_reproduction_runs(name, tmp_path):
    report = Path(reproduce(name, tmp_path).stdout.strip()).read_text()
    figures = re.findall(r"\]\((.+?\.png)\)", report)
    assert len(figures) >= 4
    assert all((tmp_path / "out" / figure).is_file() for figure in figures)


@pytest.mark.slow
def test_a_finished_reproduction_is_skipped_when_called_again(tmp_path):
    assert "$ tfdream" in reproduce(SHORTEST, tmp_path).stderr
    assert "$ tfdream" not in reproduce(SHORTEST, tmp_path).stderr
