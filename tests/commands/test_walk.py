"""A walk through all commands, on tiny networks and sounds."""

import json

import pytest
import soundfile
from calling import EAGERLY, FEW_STEPS, answer, invoke, refusal
from markupsafe import escape

# What tools outside rely on.
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
def walk(source, experiment_path, translation, step_by_step, tmp_path_factory):
    """What each command answered, one building on the other, and the folder they wrote to."""
    folder = tmp_path_factory.mktemp("walk")
    dataset, run, song = folder / "dataset", folder / "run", source / "tones/0.wav"
    with step_by_step():  # whose graphs take longer than what they do
        answers = {
            "prepare": answer(
                "prepare", source, dataset, "--config", experiment_path, "--workers", 1
            ),
            "train": answer(
                "train", experiment_path, dataset, run, "--epochs", 1, "--test-fold", 1
            ),
            "evaluate": answer("evaluate", run, dataset, "--figure", folder / "confusion.svg"),
            "predict": answer("predict", run, song, source / "noise/0.wav", source / "gone.wav"),
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
                *("compare", song, folder / "dream.flac", "--style", source / "noise/0.wav"),
                *("--model", run, "--report", folder / "compared.html"),
            ),
        }
    answers["export"] = answer("export", run, folder / "saved_model")
    return answers, folder


@pytest.mark.parametrize("name", KEYS)
def test_the_answer_has_the_keys_that_tools_rely_on(walk, name):
    assert KEYS[name] <= set(walk[0][name])


def test_the_answers_fit_together(walk):
    answers, folder = walk
    assert (answers["prepare"]["tracks"], answers["prepare"]["clips"]) == (12, 37)
    assert (answers["train"]["epochs"], answers["train"]["test_fold"]) == (1, 1)
    assert answers["evaluate"]["folds"] == [1]
    assert [entry.get("label") for entry in answers["predict"]["files"]][2] is None
    assert "error" in answers["predict"]["files"][2]
    assert "conv2" in [layer["name"] for layer in answers["layers"]["layers"]]
    assert answers["dream"]["objective"] == "layer_norm(conv1)"
    assert answers["translate"]["direction"] == "tones to noise"
    assert answers["export"]["max_abs_difference"] < 1e-5
    assert answers["analyse"]["shape"] == [129, 126, 1]
    assert answers["invert"]["samples"] == 8000
    sidecar = json.loads((folder / "dream.flac.json").read_text())
    assert sidecar["config"]["seed"] == 7
    assert soundfile.info(folder / "dream.flac").subtype == "PCM_16"
    sidecar = json.loads((folder / "translated.flac.json").read_text())
    assert sidecar["config"]["mix"] == 0.5
    assert soundfile.info(folder / "translated.flac").subtype == "PCM_16"


def test_every_file_is_where_it_was_asked_for_and_nothing_else_is(walk):
    assert {path.name for path in walk[1].iterdir()} == {
        *("dataset", "run", "saved_model", "dream.flac", "dream.flac.json", "song.npz", "song.wav"),
        *("confusion.svg", "dream.png", "history.pdf", "spectrograms.png", "folds", "classes.png"),
        *("translated.flac", "translated.flac.json", "translated.png"),
        *("dream.html", "events", "compared.html"),
    }


def test_pages_tell_how_to_make_it_again(walk):
    answers, folder = walk
    dream, compared = ((folder / name).read_text() for name in ("dream.html", "compared.html"))
    assert f"--model {folder / 'run'} --layer conv1" in dream
    assert "&#34;seed&#34;: 7" in dream
    assert dream.count("<audio") == 2
    assert compared.count("<audio") == 3
    assert all(escape(sentence) in compared for sentence in answers["compare"]["assessment"])
    assert list((folder / "events").glob("events.*"))


@EAGERLY
def test_without_json_people_are_told_the_same(walk):
    result = invoke("evaluate", walk[1] / "run", walk[1] / "dataset")
    assert result.exit_code == 0
    told = walk[0]["evaluate"]
    assert "labels: noise, tones" in result.stdout
    assert f"clips: {told['clips']}" in result.stdout
    assert f"clip_accuracy: {told['clip_accuracy']:.4g}" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    head = lines.index(["label", "precision", "recall", "f1", "clips"])
    assert [lines[head + 1][0], lines[head + 2][0]] == told["labels"]
    assert lines[head + 2][4] == str(told["per_class"][1]["clips"])
    # A line for each of a thousand tracks would hide the rest.
    assert "per_track" in told
    assert "tones/" not in result.stdout


@EAGERLY
def test_a_second_call_goes_on_or_does_nothing(walk, source, experiment_path):
    answers, folder = walk
    dataset, run = folder / "dataset", folder / "run"
    again = answer("prepare", source, dataset, "--config", experiment_path)
    assert again | {"wall_seconds": 0} == answers["prepare"] | {"wall_seconds": 0}
    once = ("train", experiment_path, dataset, run, "--epochs", 1, "--test-fold", 1)
    assert answer(*once) == answers["train"]
    folds = ("--epochs", 1, "--fold", 0, "--fold", 2)
    call = ("crossvalidate", experiment_path, dataset, folder / "folds", *folds)
    assert answer(*call) == answers["crossvalidate"]


@pytest.mark.slow
@EAGERLY
def test_crossvalidation_goes_on_by_the_same_call(walk, experiment_path):
    answers, folder = walk
    assert answers["crossvalidate"]["config"] == "tiny"
    assert [row["fold"] for row in answers["crossvalidate"]["folds"]] == [0, 2]
    written = {path: path.stat().st_mtime_ns for path in folder.glob("folds/*/*.weights.h5")}
    assert len(written) == 4
    call = ("crossvalidate", experiment_path, folder / "dataset", folder / "folds", "--epochs", 1)
    assert answer(*call, "--fold", 0, "--fold", 2) == answers["crossvalidate"]
    result = invoke(*call)
    assert result.exit_code == 0
    # What was there is told again, and only the fold that was missing is trained.
    assert result.stderr.count("epoch 1/1") == 1
    assert "fold 3 of 3: number 1 is held out" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in written} == written
    lines = [line.split() for line in result.stdout.splitlines()]
    head = lines.index(["fold", "clip_accuracy", "track_accuracy", "macro_f1", "clips", "tracks"])
    assert [line[0] for line in lines[head + 1 : head + 4]] == ["0", "1", "2"]
    # A fold is a run like any other.
    judged = answer("evaluate", folder / "folds/fold1", folder / "dataset")
    assert f"{judged['clip_accuracy']:.4g}" == lines[head + 2][1]
    assert "--force" in refusal(*call, "--set", "training.seed=3")


def test_commands_are_listed_in_the_order_of_the_work():
    lines = invoke("--help").stdout
    places = [lines.index(f"  {name} ") for name in KEYS if name != "export"]
    assert places == sorted(places)
