"""All commands in sequence, on tiny networks and sounds."""

import json

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, FEW_STEPS, answer, invoke, refusal
from markupsafe import escape

from tfdream.commands.console import PARTIAL_FAILURE

# The keys that other tools rely on.
KEYS = {
    "prepare": {"tracks", "clips", "audio_seconds", "skipped", "wall_seconds"},
    "train": {"run", "epochs", "examples_per_second", "data_wait_fraction", "metrics"},
    "evaluate": {
        *("labels", "clip_accuracy", "track_accuracy", "macro_f1", "confusion", "clips", "tracks"),
        *("clip_accuracy_interval", "track_accuracy_interval", "per_class", "per_track"),
    },
    "crossvalidate": {
        *("config", "model", "dataset", "parameters", "epochs", "examples_per_second", "seconds"),
        *("labels", "folds", "clip_accuracy", "clip_accuracy_deviation", "clip_accuracy_interval"),
        *("track_accuracy", "track_accuracy_deviation", "track_accuracy_interval", "macro_f1"),
        *("macro_f1_deviation", "confusion", "per_class", "clips", "tracks"),
    },
    "predict": {"files"},
    "layers": {"layers"},
    "dream": {
        *("objective_before", "objective_after", "objective_rendered", "audio_seconds"),
        *("compute_seconds", "sample_rate", "channels", "samples", "peak"),
        "spectral_convergence_db",
    },
    "translate": {
        *("output", "direction", "picture_change", "picture_error_rendered", "audio_seconds"),
        *("compute_seconds", "sample_rate", "channels", "samples", "peak"),
    },
    "compare": {
        *("log_spectral_distance_db", "content_chroma_similarity", "onset_correlation"),
        *("style_distance_before", "style_distance_after", "assessment"),
        *("probabilities_before", "probabilities_after", "probabilities_style"),
    },
    "export": {"path", "max_abs_difference"},
}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Three tracks of noise and three of tones, of one clip each: a track for each fold."""
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    for label in ("noise", "tones"):
        (folder / label).mkdir()
        for number in range(3):
            samples = rng.uniform(-0.1, 0.1, 13_000)
            if label == "tones":
                samples = 0.01 * samples + 0.2 * np.sin(rng.uniform(0.2, 2) * np.arange(13_000))
            soundfile.write(folder / label / f"{number}.wav", samples, 8000, "PCM_16")
    return folder


@pytest.fixture(scope="module")
def in_this_process():
    """Cross-validations train here; tests/evaluation/test_crossvalidation.py tests processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "tfdream.io.processes.call_apart",
            lambda function, progress, *arguments: function(progress, *arguments),
        )
        yield


@pytest.fixture(scope="module")
def walk(tracks, experiment_path, translation, step_by_step, in_this_process, tmp_path_factory):
    """The results of all commands, each using the output of others, and their folder."""
    folder = tmp_path_factory.mktemp("walk")
    dataset, run, song = folder / "dataset", folder / "run", tracks / "tones/0.wav"
    with step_by_step():  # tracing graphs takes longer than a few steps
        results = {
            "prepare": answer(
                "prepare", tracks, dataset, "--config", experiment_path, "--workers", 1
            ),
            "train": answer(
                "train", experiment_path, dataset, run, "--epochs", 1, "--test-fold", 1
            ),
            "evaluate": answer("evaluate", run, dataset, "--figure", folder / "confusion.svg"),
            "predict": answer(
                *("predict", run, song, tracks / "noise/0.wav", tracks / "gone.wav"),
                exit_code=PARTIAL_FAILURE,
            ),
            "layers": answer("layers", run),
            "dream": answer(
                *("dream", song, folder / "dream.flac", "--model", run, "--layer", "conv1"),
                *("--seed", 7, "--bits", 16, "--figure", folder / "dream.png", *FEW_STEPS),
                *("--report", folder / "dream.html", "--tensorboard", folder / "events"),
            ),
            "analyse": answer(
                "analyse", song, folder / "song.npz", "--config", experiment_path, "--start", 0.5
            ),
            "invert": answer(
                "invert", folder / "song.npz", folder / "song.wav", "--iterations", 2, "--seed", 3
            ),
            "plot history": answer("plot", "history", run, folder / "history.pdf"),
            "plot spectrograms": answer(
                "plot", "spectrograms", song, folder / "dream.flac", folder / "spectrograms.png"
            ),
            "crossvalidate": answer(
                *("crossvalidate", experiment_path, dataset, folder / "folds", "--epochs", 1),
                *("--fold", 0, "--fold", 2, "--figure", folder / "classes.png"),
            ),
            "translate": answer(
                *("translate", song, folder / "translated.flac", "--model", translation[0]),
                *("--to", "noise", "--mix", 0.5, "--bits", 16),
                *("--figure", folder / "translated.png", "--set", "tiles.overlap_seconds=0.05"),
            ),
            "compare": answer(
                *("compare", song, folder / "dream.flac", "--style", tracks / "noise/0.wav"),
                *("--model", run, "--report", folder / "compared.html"),
            ),
        }
    results["export"] = answer("export", run, folder / "saved_model")
    return results, folder


def test_results_have_the_documented_keys(walk):
    for name, keys in KEYS.items():
        assert keys <= set(walk[0][name]), name


def test_results_are_consistent(walk):
    results, folder = walk
    assert (results["prepare"]["tracks"], results["prepare"]["clips"]) == (6, 6)
    assert (results["train"]["epochs"], results["train"]["test_fold"]) == (1, 1)
    assert results["evaluate"]["folds"] == [1]
    assert [entry.get("label") for entry in results["predict"]["files"]][2] is None
    assert "error" in results["predict"]["files"][2]
    assert "conv2" in [layer["name"] for layer in results["layers"]["layers"]]
    assert results["dream"]["objective"] == "layer_norm(conv1)"
    assert results["translate"]["direction"] == "tones to noise"
    assert results["export"]["max_abs_difference"] < 1e-5
    assert results["analyse"]["shape"] == [129, 126, 1]
    assert results["invert"]["samples"] == 8000
    sidecar = json.loads((folder / "dream.flac.json").read_text())
    assert sidecar["config"]["seed"] == 7
    assert soundfile.info(folder / "dream.flac").subtype == "PCM_16"
    sidecar = json.loads((folder / "translated.flac.json").read_text())
    assert sidecar["config"]["mix"] == 0.5
    assert soundfile.info(folder / "translated.flac").subtype == "PCM_16"


def test_all_requested_files_are_written_and_no_others(walk):
    assert {path.name for path in walk[1].iterdir()} == {
        *("dataset", "run", "saved_model", "dream.flac", "dream.flac.json", "song.npz", "song.wav"),
        *("confusion.svg", "dream.png", "history.pdf", "spectrograms.png", "folds", "classes.png"),
        *("translated.flac", "translated.flac.json", "translated.png"),
        *("dream.html", "events", "compared.html"),
    }


def test_reports_contain_command_and_settings(walk):
    results, folder = walk
    dream, compared = ((folder / name).read_text() for name in ("dream.html", "compared.html"))
    assert f"--model {folder / 'run'} --layer conv1" in dream
    assert "&#34;seed&#34;: 7" in dream
    assert dream.count("<audio") == 2
    assert compared.count("<audio") == 3
    assert all(escape(text) in compared for text in results["compare"]["assessment"])
    assert list((folder / "events").glob("events.*"))


@EAGERLY
def test_text_output_has_the_same_values_as_json(walk):
    result = invoke("evaluate", walk[1] / "run", walk[1] / "dataset")
    assert result.exit_code == 0
    values = walk[0]["evaluate"]
    assert "labels: noise, tones" in result.stdout
    assert f"clips: {values['clips']}" in result.stdout
    assert f"clip_accuracy: {values['clip_accuracy']:.4g}" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    head = lines.index(["label", "precision", "recall", "f1", "clips"])
    assert [lines[head + 1][0], lines[head + 2][0]] == values["labels"]
    assert lines[head + 2][4] == str(values["per_class"][1]["clips"])
    # A line for each track would hide the rest.
    assert "per_track" in values
    assert "tones/" not in result.stdout


@EAGERLY
def test_second_call_continues_or_does_nothing(walk, tracks, experiment_path):
    results, folder = walk
    dataset, run = folder / "dataset", folder / "run"
    again = answer("prepare", tracks, dataset, "--config", experiment_path)
    assert again | {"wall_seconds": 0} == results["prepare"] | {"wall_seconds": 0}
    once = ("train", experiment_path, dataset, run, "--epochs", 1, "--test-fold", 1)
    assert answer(*once) == results["train"]
    folds = ("--epochs", 1, "--fold", 0, "--fold", 2)
    call = ("crossvalidate", experiment_path, dataset, folder / "folds", *folds)
    assert answer(*call) == results["crossvalidate"]


@pytest.mark.slow
@EAGERLY
def test_crossvalidation_is_continued_by_the_same_call(walk, experiment_path):
    results, folder = walk
    assert results["crossvalidate"]["config"] == "tiny"
    assert [row["fold"] for row in results["crossvalidate"]["folds"]] == [0, 2]
    written = {path: path.stat().st_mtime_ns for path in folder.glob("folds/*/*.weights.h5")}
    assert len(written) == 4
    call = ("crossvalidate", experiment_path, folder / "dataset", folder / "folds", "--epochs", 1)
    assert answer(*call, "--fold", 0, "--fold", 2) == results["crossvalidate"]
    result = invoke(*call)
    assert result.exit_code == 0
    # Existing folds are reported again, and only the missing fold is trained.
    assert result.stderr.count("epoch 1/1") == 1
    assert "fold 3 of 3: number 1 is held out" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in written} == written
    lines = [line.split() for line in result.stdout.splitlines()]
    head = lines.index(["fold", "clip_accuracy", "track_accuracy", "macro_f1", "clips", "tracks"])
    assert [line[0] for line in lines[head + 1 : head + 4]] == ["0", "1", "2"]
    # A fold is an ordinary run.
    evaluation = answer("evaluate", folder / "folds/fold1", folder / "dataset")
    assert f"{evaluation['clip_accuracy']:.4g}" == lines[head + 2][1]
    assert "--force" in refusal(*call, "--set", "training.seed=3")


def test_commands_are_listed_in_the_order_of_their_use():
    lines = invoke("--help").stdout
    places = [lines.index(f"  {name} ") for name in KEYS if name != "export"]
    assert places == sorted(places)
