"""One command compares models on a pair: outputs, curves, spectrograms and verdicts."""

import csv
import itertools

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, answer, invoke, names, refusal

from tfdream import config
from tfdream.errors import AudioError
from tfdream.evaluation import model_comparison
from tfdream.evaluation.model_comparison import apply_models
from tfdream.reports.model_comparison import Models, compare_models
from tfdream.runs import open_run
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.transfer import build_transfer, takes_model

TINY = """
network:
  kind: features
  name: random_conv1d
  options: {filters: 16, kernel_size: WIDTH}
  sample_rate: 8000
  clip_seconds: 0.5
  frontend: {kind: magnitude, stft: {n_fft: 256, hop_samples: 64}}
style_layers: {conv1: 500}
gram_normalization: normalized_mse
canvas: {kind: log_magnitude, phase: {iterations: 0}}
optimizer: {kind: adam, steps: 3, step_size: 0.05}
tiles: {overlap_seconds: 0.05}
"""
NETWORKS = {"narrow": 3, "wide": 5}


@pytest.fixture
def recipes(tmp_path):
    options = []
    for name, width in NETWORKS.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.replace("WIDTH", str(width)))
        options += ["--config", path]
    return options


class FixedDistance:
    """Replaces `StyleDistance`, whose network of 1024 filters takes seconds for each file."""

    def __init__(self, style):
        self.style = style

    def distance_of(self, path):
        return float(path != self.style)


@pytest.mark.parametrize("translates", [False, pytest.param(True, marks=pytest.mark.slow)])
@EAGERLY
def test_models_are_compared_on_one_pair(
    translates, recipes, source, trained, request, tmp_path, monkeypatch
):
    content, style = source / "tones/0.wav", source / "noise/1.wav"
    folder = tmp_path / "out"
    call = (
        *("compare-models", content, style, folder, *recipes, "--seconds", 0.8),
        *("--judge", trained[0]),
    )
    models = list(NETWORKS)
    if translates:
        call += ("--translator", request.getfixturevalue("translation")[0], "--to", "noise")
        models.append("translation")
    else:
        monkeypatch.setattr(model_comparison, "StyleDistance", FixedDistance)
    result = answer(*call)
    assert list(result["outputs"]) == models
    assert names(folder) == sorted(
        [f"{name}.flac{end}" for name in result["outputs"] for end in ("", ".json")]
        + [f"{name}.csv" for name in models]
        + ["losses.png", "spectrograms.png", "verdicts.csv"]
    )
    with (folder / "narrow.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 3  # two tiles together
    assert losses[2] < losses[0]
    verdicts = {row["sound"]: row for row in result["verdicts"]}
    assert list(verdicts) == ["content", "style", *result["outputs"]]
    assert verdicts["style"]["style_distance"] == pytest.approx(0, abs=1e-6)
    assert verdicts["style"]["same_as_style"]
    target = verdicts["style"]["label"]
    for row in verdicts.values():
        assert row["same_as_style"] == (row["label"] == target)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.flac")}
    assert answer(*call) == result
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.flac")} == before
    assert "--force" in refusal(*call, "--seed", 3)


@EAGERLY
def test_a_model_without_losses_has_an_empty_table_and_no_figure(
    source, tmp_path, monkeypatch, recipes
):
    monkeypatch.setattr(model_comparison, "StyleDistance", FixedDistance)
    folder = tmp_path / "out"
    call = ("compare-models", source / "tones/0.wav", source / "noise/1.wav", folder)
    result = answer(*call, *recipes[:2], "--seconds", 0.8)
    assert result["losses"] == str(folder / "losses.png")
    one_pass = tmp_path / "other" / "narrow.yaml"  # of the same name, in one pass
    one_pass.parent.mkdir()
    one_pass.write_text("method: timbre\ntiles: {overlap_seconds: 0.05}\n")
    result = answer(*call, "--config", one_pass, "--seconds", 0.8, "--force")
    assert result["losses"] is None
    assert not (folder / "losses.png").exists()
    assert (folder / "narrow.csv").read_text().split() == ["step,loss"]


def test_a_network_that_no_recipe_uses_is_refused(source, run, transfer, recipes, tmp_path):
    call = ("compare-models", source / "tones/0.wav", source / "noise/1.wav", tmp_path / "out")
    for model, used in (
        (run.folder, recipes[:2]),
        (transfer[0], ("--config", "transfer/lil_data")),
    ):
        assert "no recipe uses a network such as --model" in refusal(*call, "--model", model, *used)
    assert not (tmp_path / "out").exists()


def test_a_network_belongs_to_the_recipes_that_take_it(run, transfer):
    timbre, lil_data, features = (
        config.load_transfer(f"transfer/{name}") for name in ("timbre", "lil_data", "random_conv1d")
    )
    for recipe, classifier, network in (
        (timbre, False, True),
        (lil_data, True, False),
        (features, False, False),
    ):
        assert takes_model(recipe, run) == classifier
        assert takes_model(recipe, open_run(transfer[0])) == network


@EAGERLY
def test_a_stop_before_a_model_keeps_the_losses_of_its_existing_output(recipes, source, tmp_path):
    settings = config.load_transfer(recipes[1])
    models = {"narrow": build_transfer(source / "noise/1.wav", settings)}
    options = RenderOptions(seconds=0.8)
    (before,) = apply_models(source / "tones/0.wav", tmp_path, models, options)
    stops = itertools.chain([False], itertools.repeat(True))
    for _ in range(2):
        after = apply_models(
            source / "tones/0.wav",
            tmp_path,
            models,
            options,
            stop_requested=lambda: next(stops),
        )
        assert after in ([before], [])
    assert [before] == apply_models(source / "tones/0.wav", tmp_path, models, options)


@EAGERLY
def test_losses_that_were_lost_are_computed_again(recipes, source, tmp_path, monkeypatch):
    monkeypatch.setattr(model_comparison, "StyleDistance", FixedDistance)
    folder = tmp_path / "out"
    call = ("compare-models", source / "tones/0.wav", source / "noise/1.wav", folder, *recipes[:2])
    answer(*call, "--seconds", 0.8)
    table = (folder / "narrow.csv").read_bytes()
    (folder / "narrow.csv").unlink()
    answer(*call, "--seconds", 0.8)
    assert (folder / "narrow.csv").read_bytes() == table


def test_a_stop_before_the_first_model_writes_nothing(source, tmp_path):
    result = compare_models(
        source / "tones/0.wav",
        source / "noise/1.wav",
        tmp_path / "out",
        Models({"first": None}),
        stop_requested=lambda: True,
    )
    assert result["interrupted"]
    assert (result["outputs"], result["losses"]) == ({}, None)
    assert (result["spectrograms"], result["verdicts"]) == (None, [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["losses.png", "spectrograms.png", "verdicts.csv", "narrow.csv"])
def test_files_of_another_origin_are_kept(name, recipes, source, tmp_path):
    (tmp_path / name).write_text("mine")
    call = ("compare-models", source / "tones/0.wav", source / "noise/1.wav", tmp_path, *recipes)
    assert f"{name}' exists already" in refusal(*call)
    assert (tmp_path / name).read_text() == "mine"
    assert not (tmp_path / "narrow.flac").exists()


def test_a_style_without_loudness_is_rejected_before_the_models_are_applied(source, tmp_path):
    style = tmp_path / "click.wav"
    soundfile.write(style, np.ones(8), 8000)
    with pytest.raises(AudioError, match=r"click\.wav' has no loudness"):
        compare_models(source / "tones/0.wav", style, tmp_path / "out", Models({"first": None}))
    assert not (tmp_path / "out").exists()


def test_models_have_different_names(recipes, song, tmp_path):
    same = ("--config", "transfer/texture", "--config", "texture.yaml")
    result = invoke("compare-models", song, song, tmp_path / "out", *same)
    assert result.exit_code == 2
    assert "two models have the name 'texture'" in result.stderr
