import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from markupsafe import escape

import tfdream
from tfdream.cli import main
from tfdream.console import interruptible

# design.md's table: what tools rely on.
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
        *("style_distance_before", "style_distance_after", "in_words"),
        *("probabilities_before", "probabilities_after", "probabilities_style"),
    },
    "export": {"path", "max_abs_difference"},
}
# Commands do the same step by step; to build graphs takes longer than a few steps.
EAGERLY = pytest.mark.usefixtures("eagerly")

FEW_STEPS = ("--set", "optimiser.steps=2", "--set", "tiles.overlap_seconds=0.05")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def no_number(text):
    raise AssertionError(f"{text} is no JSON")


def answer(*arguments):
    """The JSON object of a command that succeeds."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    # Nothing but the object goes to standard output.
    (line,) = result.stdout.splitlines()
    return json.loads(line, parse_constant=no_number)


def refusal(*arguments):
    """The message of a command that fails as it should."""
    result = invoke(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def commands(group=main, prefix=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name)


# Every command

EVERY = pytest.mark.parametrize("name", list(commands()), ids=" ".join)


@EVERY
def test_every_command_explains_itself_and_speaks_json(name):
    result = invoke(*name, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    description = result.stdout.splitlines()[2].strip()
    assert description.endswith((".", ",", ":")) or len(description) > 20


@EVERY
def test_an_unknown_option_is_a_usage_error(name):
    result = invoke(*name, "--no-such-option")
    assert result.exit_code == 2
    assert result.stdout == ""


def test_help_answers_without_tensorflow():
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from tfdream.cli import main\n"
        "for arguments in ['--help', 'dream --help', '--version', 'configs --json']:\n"
        "    assert CliRunner().invoke(main, arguments).exit_code == 0\n"
        "slow = {'tensorflow', 'keras', 'librosa', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "tfdream", "configs", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "lil_data" in json.loads(done.stdout)["configs"]


def test_the_version_is_that_of_the_package():
    assert tfdream.__version__ in invoke("--version").stdout


def test_commands_are_listed_in_the_order_of_the_work():
    lines = invoke("--help").stdout
    places = [lines.index(f"  {name} ") for name in KEYS if name != "export"]
    assert places == sorted(places)


# A walk through all of it


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
    assert all(escape(sentence) in compared for sentence in answers["compare"]["in_words"])
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


# Errors


@pytest.fixture
def places(
    source, song, dataset, trained, translation, experiment_path, translation_path, tmp_path
):
    """What stands for what in the calls below."""
    return {
        "source": source,
        "song": song,
        "dataset": dataset,
        "run": trained[0],
        "translation": translation[0],
        "config": experiment_path,
        "cyclegan": translation_path,
        "gone": tmp_path / "gone",
        "new": tmp_path / "new",
        "empty": trained[0],
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "{gone}", "{new}", "--config", "lil_data"], "'{gone}' does not exist"),
        (["prepare", "{source}", "{new}", "--config", "no_such"], "config 'no_such' is neither"),
        (["prepare", "{source}", "{new}", "--config", "lil_data", "--set", "x=1"], "setting 'x'"),
        (["prepare", "{source}", "{new}", "--config", "lil_data", "--set", "x"], "not KEY=VALUE"),
        (["prepare", "{source}", "{new}", "--config", "lil_data", "--layout", "csv"], "manifest"),
        (["prepare", "{source}", "{dataset}", "--config", "{config}", "--set", "prepare.seed=9"],
         "use --force to replace it"),
        (["train", "{config}", "{gone}", "{new}"], "run tfdream prepare first"),
        (["train", "{config}", "{dataset}", "{new}", "--test-fold", "9"], "test_fold=9"),
        (["train", "{config}", "{dataset}", "{new}", "--test-fold", "none"], "validate_on=none"),
        (["train", "{config}", "{dataset}", "{new}", "--set", "model.name=hal"], "model.name=hal"),
        (["train", "{config}", "{dataset}", "{new}", "--set", "model.options.x=1"], "'x'"),
        (["train", "{config}", "{dataset}", "{new}", "--data-service", "host"],
         "not the address of a dispatcher"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--data-service", "host"],
         "for classifiers alone"),
        (["data-worker", "--join", "host"], "not the address of a dispatcher"),
        (["train", "{config}", "{dataset}", "{run}", "--set", "training.seed=3"], "--force"),
        (["train", "lil_data", "{dataset}", "{new}"], "sample_rate=8000"),
        (["train", "{config}", "{dataset}", "{new}", "--set", "frontend={{kind: raw}}"], "shape"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--set", "labels=[noise, jazz]"], "'jazz'"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--set", "model.name=hal"], "small_cycle"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--set", "training.pool_images=1"], "or 0"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--second", "{gone}"], "tfdream prepare"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--second", "{dataset}"], "both genres"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--judge", "{gone}"], "is not a run folder"),
        (["train", "{cyclegan}", "{dataset}", "{new}", "--judge", "{translation}"], "a classifier"),
        (["train", "{cyclegan}", "{dataset}", "{run}"], "--force"),
        (["train", "{config}", "{dataset}", "{translation}"], "--force"),
        (["crossvalidate", "{cyclegan}", "{dataset}", "{new}"], "task='translate'"),
        (["evaluate", "{translation}", "{dataset}"], "one of a translation"),
        (["predict", "{translation}", "{song}"], "one of a translation"),
        (["layers", "{translation}"], "one of a translation"),
        (["dream", "{song}", "{new}.wav", "--model", "{translation}"], "one of a translation"),
        (["translate", "{song}", "{new}.wav", "--model", "{run}"], "one of a classifier"),
        (["translate", "{song}", "{new}.wav", "--model", "{gone}"], "is not a run folder"),
        (["translate", "{gone}", "{new}.wav", "--model", "{translation}"], "does not exist"),
        (["translate", "{song}", "{new}.mp3", "--model", "{translation}"], "does not end in one"),
        (["translate", "{song}", "{song}", "--model", "{translation}"], "--force"),
        (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--to", "jazz"],
         "to noise and to tones, not to 'jazz'"),
        (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--set",
          "tiles.seconds=2"], "tiles.seconds=2"),
        (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--set", "x=1"], "'x'"),
        (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--figure", "x.jpg"],
         "'x.jpg'"),
        (["evaluate", "{gone}", "{dataset}"], "is not a run folder"),
        (["evaluate", "{run}", "{gone}"], "run tfdream prepare first"),
        (["evaluate", "{run}", "{dataset}", "--fold", "9"], "fold 9 is not"),
        (["evaluate", "{run}", "{dataset}", "--figure", "{new}"], "does not end in one of"),
        (["crossvalidate", "{config}", "{gone}", "{new}"], "run tfdream prepare first"),
        (["crossvalidate", "{config}", "{dataset}", "{new}", "--fold", "9"], "fold 9 is not"),
        (["crossvalidate", "{config}", "{dataset}", "{new}", "--figure", "x.jpg"], "'x.jpg'"),
        (["crossvalidate", "lil_data", "{dataset}", "{new}"], "sample_rate=8000"),
        (["predict", "{gone}", "{song}"], "is not a run folder"),
        (["layers", "{dataset}"], "is not a run folder"),
        (["dream", "{gone}", "{new}.wav", "--model", "{run}"], "does not exist"),
        (["dream", "{song}", "{new}.mp3", "--model", "{run}"], "does not end in one of"),
        (["dream", "{song}", "{song}", "--model", "{run}"], "--force"),
        (["dream", "{song}", "{new}.wav", "--model", "{gone}"], "is not a run folder"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--layer", "x"], "layer 'x' is not"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "x("], "be read"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--seed", "-1"], "seed=-1"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--figure", "x.jpg"], "'x.jpg'"),
        (["dream", "{song}", "{new}.flac", "--model", "{run}", "--bits", "32"], "bits=32"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--start", "99"], "start=99 s is"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--guide", "{song}"], "no guide"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "guide_dot()"],
         "--guide"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "guide_dot()",
          "--guide", "{gone}"], "does not exist"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "class_logit(jazz)"],
         "noise, tones"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--from", "noise"], "start=noise"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--set", "mix=2"], "mix=2"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--set", "canvas={{kind: phase}}"],
         "canvas.kind=phase"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--layer", "x", "--layer", "conv1"],
         "layer 'x' is not"),
        (["dream", "{song}", "{new}-{{layer}}.wav", "--model", "{run}", "--layer", "x"],
         "layer 'x' is not"),
        (["dream", "{song}", "{new}-{{layer}}.wav", "--model", "{run}", "--layer", "conv1",
          "--layer", "x/y"], "x/y"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--report", "{song}/a.html"],
         "no folder that may be written to"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--tensorboard", "{song}"],
         "is not a folder"),
        (["dream", "{song}", "{song}", "--model", "{run}", "--force"], "would replace"),
        (["transfer", "{song}", "{song}", "{song}", "--force"], "would replace"),
        (["dream", "{empty}", "{new}", "--model", "{run}"], "no audio file in"),
        (["dream", "{song}", "{new}.wav", "--model", "{run}", "--report", "{new}.pdf"], ".html"),
        (["transfer", "{song}", "{song}", "{new}.wav", "--report", "{new}.html", "--judge",
          "{gone}"], "is not a run folder"),
        (["compare", "{song}", "{song}", "--model", "{translation}"], "of a classifier"),
        (["monitor", "{gone}"], "is not a folder"),
        (["export", "{run}", "{dataset}"], "--force"),
        (["export", "{gone}", "{new}"], "is not a run folder"),
        (["analyse", "{song}", "{new}.wav", "--config", "{config}"], "does not end in .npz"),
        (["analyse", "{song}", "{new}.npz", "--config", "raw_conv1d"], "kind=raw"),
        (["analyse", "{song}", "{new}.npz", "--config", "{config}", "--start", "99"], "start=99"),
        (["invert", "{song}", "{new}.wav"], "is not a spectrogram"),
        (["plot", "history", "{gone}", "{new}.png"], "history.csv"),
        (["plot", "spectrograms", "{song}", "{new}.jpg"], "does not end in one of"),
        (["plot", "spectrograms", "{gone}", "{new}.png"], "does not exist"),
    ],
    ids=lambda value: " ".join(value)[:70] if isinstance(value, list) else None,
)  # fmt: skip
def test_what_a_user_can_mend_is_one_line(arguments, words, places, tmp_path):
    message = refusal(*(argument.format(**places) for argument in arguments))
    assert words.format(**places) in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["prepare"],
        ["prepare", "a", "b"],
        ["prepare", "a", "b", "--config", "lil_data", "--workers", "0"],
        ["prepare", "a", "b", "--config", "lil_data", "--layout", "spiral"],
        ["train", "lil_data", "a", "b", "--epochs", "0"],
        ["train", "lil_data", "a", "b", "--test-fold", "first"],
        ["train", "lil_data", "a", "b", "--second", "c"],
        ["train", "lil_data", "a", "b", "--judge", "c"],
        ["train", "small_cyclegan", "a", "b", "--judge", "c", "--set", "training.validate_on=none"],
        ["translate", "a", "b"],
        ["translate", "a", "--model", "c"],
        ["translate", "a", "b", "--model", "c", "--mix", "1.5"],
        ["translate", "a", "b", "--model", "c", "--bits", "17"],
        ["evaluate", "a"],
        ["crossvalidate", "lil_data", "a"],
        ["crossvalidate", "lil_data", "a", "b", "--epochs", "0"],
        ["predict", "a"],
        ["dream", "a", "b"],
        ["dream", "a", "b", "--model", "c", "--bits", "17"],
        ["dream", "a", "b", "--model", "c", "--layer", "x", "--objective", "y()"],
        ["dream", "a", "--model", "c"],
        ["dream", "a", "b", "c", "--model", "d", "--figure", "e.png"],
        ["dream", "a", "b", "c", "--model", "d", "--report", "e.html"],
        ["dream", "a", "b", "--model", "c", "--judge", "d"],
        ["transfer", "a", "b", "c", "--judge", "d", "--figure", "e.png"],
        ["compare", "a"],
        ["monitor", "a", "--port", "-1"],
        ["dream", "a", "b-{layer}.wav", "--model", "c"],
        ["dream", "a", "b-{layer}.wav", "--model", "c", "--objective", "y()"],
        ["dream", "a", "b", "c-{layer}", "--model", "d", "--layer", "x"],
        ["dream", "a", "b", "--model", "c", "--from", "nothing"],
        ["dream", "a", "b", "--model", "c", "--start", "-1"],
        ["dream", "a", "b", "--model", "c", "--seconds", "0"],
        ["dream", "a", "b", "--model", "c", "--mix", "1.5"],
        ["dream", "a", "b", "--model", "c", "--repeats", "0"],
        ["dream", "a", "b", "--model", "c", "--save-every", "0"],
        ["invert", "a", "b", "--iterations", "-1"],
        ["plot", "nothing"],
        ["dream", "a", "", "--model", "c"],
        ["dream", "a", "b", "--model", "c", "--seconds", "inf"],
        ["corpus", "a", "--seconds", "nan"],
        ["dream", "a", "caf\udce9.wav", "--model", "c"],
        ["train", "a", "b", "c", "--strategy", "none"],
        ["data-worker"],
        ["data-worker", "--dispatcher"],
        ["data-worker", "--join", "a", "--worker", "b"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_a_usage_error(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert result.stdout == ""


def test_ctrl_c_is_said_and_leaves_130(source, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfdream.datasets.prepare.prepare", interrupt)
    result = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted.\n"


def test_what_is_a_bug_keeps_its_traceback(source, tmp_path, monkeypatch):
    def stumble(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("tfdream.datasets.prepare.prepare", stumble)
    result = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "objective", ["- 2*total_variation()", "layer_norm('conv1') - 0.1*total_variation()"]
)
@pytest.mark.slow
def test_an_objective_is_taken_as_it_stands(trained, tmp_path, objective):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 8000)
    output = tmp_path / "out.wav"
    found = answer(
        "dream", path, output, "--model", trained[0], "--objective", objective, *FEW_STEPS
    )
    assert found["objective_after"] > found["objective_before"]


@EAGERLY
def test_force_replaces_what_is_there(trained, song, tmp_path):
    output = tmp_path / "out.wav"
    shutil.copy(song, output)
    arguments = ("dream", output, output, "--model", trained[0], *FEW_STEPS)
    assert "--force" in refusal(*arguments)
    answer(*arguments, "--force")
    assert output.read_bytes() != song.read_bytes()


def test_a_finished_translation_is_told_again_with_its_verdict(
    translation, trained, dataset, translation_path
):
    told = answer("train", translation_path, dataset, translation[0], "--judge", trained[0])
    (judged,) = told.pop("judged")
    assert judged["epoch"] == 2
    assert 0 <= judged["share_to_noise_after"] <= 1
    assert told == translation[1]


@pytest.mark.slow
def test_a_translation_is_exported_too(translation, tmp_path):
    told = answer("export", translation[0], tmp_path / "saved_model")
    assert told["labels"] == ["noise", "tones"]


@pytest.mark.slow
def test_a_dataset_of_each_genre_is_taken(source, translation_path, trained, tmp_path, eagerly):
    for label in ("noise", "tones"):
        shutil.copytree(source / label, tmp_path / "source" / label / label)
        where = (tmp_path / "source" / label, tmp_path / label)
        answer("prepare", *where, "--config", translation_path, "--workers", 1)
    short = [word for each in ("epochs=1", "batch_size=12", "pool_images=0") for word in
             ("--set", f"training.{each}")]  # fmt: skip
    call = ("train", translation_path, tmp_path / "tones", tmp_path / "run", *short)
    told = answer(*call, "--second", tmp_path / "noise", "--judge", trained[0])
    assert (told["labels"], told["epochs"]) == (["tones", "noise"], 1)
    (judged,) = told["judged"]
    assert judged["epoch"] == 1
    assert 0 <= judged["share_to_noise_after"] <= 1
    assert "choose two" in refusal(*call, "--force")  # of one dataset with one label
    result = invoke("plot", "history", tmp_path / "run", tmp_path / "history.png")
    assert result.exit_code == 0


# Dreams of several kinds


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def dream(trained, *arguments, steps=1):
    return (
        *("dream", *arguments, "--model", trained[0]),
        *("--set", f"optimiser.steps={steps}", "--set", "tiles.overlap_seconds=0.05"),
    )


@pytest.fixture
def album(tmp_path):
    """Two short recordings in a folder, one of them in a folder of its own, and a bad one."""
    rng = np.random.default_rng(0)
    (tmp_path / "album/live").mkdir(parents=True)
    for name in ("b.wav", "live/a.flac"):
        soundfile.write(tmp_path / "album" / name, rng.uniform(-0.1, 0.1, 8000), 8000, "PCM_16")
    (tmp_path / "album/bad.wav").write_text("no sound")
    (tmp_path / "album/notes.txt").write_text("no sound either")
    return tmp_path / "album"


@EAGERLY
def test_a_folder_is_dreamt_and_what_is_there_is_kept(trained, album, tmp_path):
    output = tmp_path / "out"
    told = answer(*dream(trained, album, output))
    files = ["a.flac", "a.flac.json", "b.wav", "b.wav.json"]
    assert names(output) == files
    assert sorted(each["output"] for each in told["files"]) == [
        str(output / "a.flac"),
        str(output / "b.wav"),
    ]
    (skipped,) = told["skipped"]
    assert skipped["path"] == str(album / "bad.wav")
    assert "cannot be decoded" in skipped["reason"]
    assert told["kept"] == []
    before = {path: path.read_bytes() for path in output.iterdir()}
    again = answer(*dream(trained, album, output))
    assert (again["files"], len(again["kept"]), len(again["skipped"])) == ([], 2, 1)
    assert {path: path.read_bytes() for path in output.iterdir()} == before


@pytest.mark.slow
def test_a_folder_of_other_settings_is_replaced_with_force_only(trained, album, tmp_path):
    output = tmp_path / "out"
    answer(*dream(trained, album, output))
    before = {path: path.read_bytes() for path in output.glob("*.wav")}
    assert "--force" in refusal(*dream(trained, album, output, steps=2))
    assert {path: path.read_bytes() for path in output.glob("*.wav")} == before
    told = answer(*dream(trained, album, output, "--force", steps=2))
    assert (len(told["files"]), told["kept"]) == (2, [])
    assert all(path.read_bytes() != content for path, content in before.items())


@pytest.mark.slow
def test_a_folder_of_other_parts_is_not_kept(trained, album, tmp_path):
    """The settings of a dream are not only those of its recipe."""
    output = tmp_path / "out"
    answer(*dream(trained, album, output, "--seconds", 0.5))
    told = answer(*dream(trained, album, output, "--force"))
    assert told["kept"] == []
    assert soundfile.info(output / "b.wav").frames == 8000


@pytest.mark.slow
def test_a_folder_of_another_guide_is_not_kept(trained, album, song, tmp_path):
    output, guided = tmp_path / "out", ("--objective", "guide_dot(conv1)", "--force")
    answer(*dream(trained, album, output, *guided, "--guide", song))
    told = answer(*dream(trained, album, output, *guided, "--guide", album / "b.wav"))
    assert told["kept"] == []


@pytest.mark.slow
def test_force_replaces_a_folder_of_the_same_settings(trained, album, tmp_path):
    output = tmp_path / "out"
    answer(*dream(trained, album, output))
    told = answer(*dream(trained, album, output, "--force"))
    assert (len(told["files"]), told["kept"]) == (2, [])


@EAGERLY
def test_several_recordings_go_into_a_folder(trained, album, tmp_path):
    sources = (album / "b.wav", album / "live")
    told = answer(*dream(trained, *sources, tmp_path / "out"))
    assert [each["output"] for each in told["files"]] == [
        str(tmp_path / "out/b.wav"),
        str(tmp_path / "out/a.flac"),
    ]


@EAGERLY
def test_a_recording_goes_into_a_folder_that_is_there(trained, album, tmp_path):
    (tmp_path / "out").mkdir()
    answer(*dream(trained, album / "b.wav", tmp_path / "out"))
    assert names(tmp_path / "out") == ["b.wav", "b.wav.json"]


def test_a_folder_without_anything_to_hear_is_an_error(trained, album, tmp_path):
    assert "cannot be decoded" in refusal(*dream(trained, album / "bad.wav", tmp_path / "out.wav"))
    (tmp_path / "out").mkdir()
    assert "cannot be decoded" in refusal(*dream(trained, album / "bad.wav", tmp_path / "out"))
    assert names(tmp_path / "out") == []


def test_a_recording_does_not_go_into_its_own_folder(trained, album):
    before = names(album)
    assert "would overwrite itself" in refusal(*dream(trained, album / "b.wav", album, "--force"))
    assert names(album) == before


@pytest.mark.slow
def test_each_layer_has_a_file_where_the_name_asks_for_it(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2")
    figure = tmp_path / "both.png"
    told = answer(
        *dream(trained, album / "b.wav", tmp_path / "of-{layer}.wav", *layers),
        *("--figure", figure),
    )
    assert [each["objective"] for each in told["files"]] == [
        "layer_norm(conv1)",
        "layer_norm(conv2)",
    ]
    assert names(tmp_path) == [
        *("album", "both.png", "of-conv1.wav", "of-conv1.wav.json"),
        *("of-conv2.wav", "of-conv2.wav.json"),
    ]
    alone = dream(trained, album / "b.wav", tmp_path / "alone.wav", "--layer", "conv2")
    answer(*alone)
    assert (tmp_path / "alone.wav").read_bytes() == (tmp_path / "of-conv2.wav").read_bytes()


@pytest.mark.slow
def test_several_layers_add_up(trained, album, tmp_path):
    layers = ("--layer", "conv1", "--layer", "conv2")
    told = answer(*dream(trained, album / "b.wav", tmp_path / "out.wav", *layers))
    assert told["objective"] == "layer_norm(conv1) + layer_norm(conv2)"
    assert names(tmp_path) == ["album", "out.wav", "out.wav.json"]


@pytest.mark.slow
def test_options_are_settings_of_the_recipe(trained, album, tmp_path):
    guide = album / "live/a.flac"
    told = answer(
        *dream(trained, album / "b.wav", tmp_path / "out.wav", steps=2),
        *("--objective", "guide_match(conv2)", "--guide", guide, "--mix", 0.5, "--repeats", 2),
        *("--start", 0.25, "--seconds", 0.5, "--save-every", 2, "--set", "level=0.5"),
    )
    assert (told["samples"], told["steps"], told["snapshots"]) == (
        4000,
        4,
        [str(tmp_path / "out-2.wav"), str(tmp_path / "out-4.wav")],
    )
    sidecar = json.loads((tmp_path / "out.wav.json").read_text())
    assert (sidecar["config"]["mix"], sidecar["config"]["repeats"]) == (0.5, 2)
    assert (sidecar["guide"], sidecar["source"]) == (str(guide), str(album / "b.wav"))
    assert (sidecar["start_seconds"], sidecar["seconds"]) == (0.25, 0.5)
    noise = dream(trained, album / "b.wav", tmp_path / "noise.wav", "--from", "noise")
    answer(*noise, "--set", "canvas={kind: waveform}", "--set", "optimiser.step_size=0.001")
    assert json.loads((tmp_path / "noise.wav.json").read_text())["config"]["start"] == "noise"


# Ctrl-C

MAIN_THREAD = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="only the main thread hears signals",
)


@pytest.fixture
def ctrl_c(monkeypatch):
    """Presses Ctrl-C as a step is reported: the third one of each call of a command."""

    @contextmanager
    def bar(description, unit):
        steps = 0

        def report(done, total, note=""):
            nonlocal steps
            steps += 1
            if steps == 3:
                signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr("tfdream.commands.sound.progress_bar", bar)


def interrupted(*arguments):
    """The JSON object of a command that was stopped, and what it said to people."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 130, result.output
    told = json.loads(result.stdout, parse_constant=no_number)
    assert told["interrupted"] is True
    return told


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_keeps_what_is_dreamt(trained, song, tmp_path, ctrl_c):
    before = signal.getsignal(signal.SIGINT)
    as_it_comes = ("--bits", 32, "--set", "level=limit")  # the whole would get softer otherwise
    told = interrupted(*dream(trained, song, tmp_path / "out.wav", *as_it_comes, steps=5))
    assert signal.getsignal(signal.SIGINT) is before
    assert (told["steps"], told["changed_seconds"]) == (3, 1.0)
    original, _ = soundfile.read(song, dtype="float32")
    changed, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.array_equal(changed[8000:], original[8000:])
    assert not np.array_equal(changed[:8000], original[:8000])


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_keeps_what_is_translated(translation, song, tmp_path, ctrl_c):
    told = interrupted(
        *("translate", song, tmp_path / "out.wav", "--model", translation[0], "--bits", 32),
        *("--set", "tiles.overlap_seconds=0.05", "--set", "level=limit"),
    )
    assert told["changed_seconds"] == pytest.approx(0.95 + 0.95 + 1)
    original, _ = soundfile.read(song, dtype="float32")
    changed, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    rest = round(8000 * told["changed_seconds"])
    assert np.array_equal(changed[rest:], original[rest:])
    assert not np.array_equal(changed[:8000], original[:8000])


@MAIN_THREAD
@pytest.mark.slow
def test_ctrl_c_ends_a_folder_and_the_next_call_goes_on(
    trained, album, tmp_path, ctrl_c, monkeypatch
):
    (album / "bad.wav").unlink()
    output = tmp_path / "out"
    told = interrupted(*dream(trained, album, output, steps=2))
    # One is whole; the other was stopped at its first step.
    assert ["interrupted" in each for each in told["files"]] == [False, True]
    monkeypatch.undo()
    again = answer(*dream(trained, album, output, steps=2))
    assert again["kept"] == [str(output / "b.wav")]
    assert [each["output"] for each in again["files"]] == [str(output / "a.flac")]
    assert again["skipped"] == []


@MAIN_THREAD
@pytest.mark.slow
def test_ctrl_c_ends_the_layers(trained, album, tmp_path, ctrl_c):
    layers = [word for layer in ("conv1", "conv2", "embedding") for word in ("--layer", layer)]
    source, output = album / "b.wav", tmp_path / "{layer}.wav"
    told = interrupted(*dream(trained, source, output, *layers, steps=2))
    assert [each["objective"] for each in told["files"]] == [
        "layer_norm(conv1)",
        "layer_norm(conv2)",
    ]
    assert names(tmp_path) == [
        "album",
        *(f"conv{n}.wav{end}" for n in (1, 2) for end in ("", ".json")),
    ]


@EAGERLY
@MAIN_THREAD
def test_a_second_ctrl_c_gives_it_up(trained, song, tmp_path, monkeypatch):
    @contextmanager
    def impatient(description, unit):
        def report(done, total, note=""):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr("tfdream.commands.sound.progress_bar", impatient)
    result = invoke(*dream(trained, song, tmp_path / "out.wav"))
    assert result.exit_code == 130
    assert "Interrupted." in result.stderr
    assert result.stdout == ""
    assert names(tmp_path) == []


@MAIN_THREAD
def test_an_end_is_asked_for_by_the_first_ctrl_c_and_made_by_the_second():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_beside_the_main_thread_nobody_asks():
    found = []

    def work():
        with interruptible() as asked:
            found.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.slow
def test_a_signal_from_outside_keeps_what_is_dreamt(trained, song, tmp_path):
    """A process of its own, which gets SIGINT as soon as it has begun to write."""
    output = tmp_path / "out.wav"
    arguments = dream(trained, song, output, "--json", steps=1_000_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "tfdream", *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / ".partial-out.wav").exists() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    told = json.loads(stdout)
    assert told["interrupted"] is True
    assert soundfile.info(output).frames == soundfile.info(song).frames
    assert names(tmp_path) == ["out.wav", "out.wav.json"]


# Generation


def test_a_generator_is_trained_and_generates(dataset, generation, generation_path, tmp_path):
    assert answer("train", generation_path, dataset, generation[0]) == generation[1]
    out = tmp_path / "out.flac"
    told = answer(
        *("generate", out, "--model", generation[0], "--seconds", 0.25, "--seed", 4, "--bits", 16),
        *("--set", "phase.iterations=2", "--figure", tmp_path / "out.png"),
    )
    assert (told["samples"], told["sample_rate"], told["channels"]) == (2000, 8000, 1)
    assert (told["seed"], told["temperature"]) == (4, 0)
    assert soundfile.info(out).subtype == "PCM_16"
    assert (tmp_path / "out.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "{run}"], "this takes one of a generator"),
        (["--model", "{generation}", "--temperature", "1"], "temperature=1"),
        (["--model", "{generation}", "--prompt", "{gone}"], "does not exist"),
        (["--model", "{generation}", "--set", "phase.start=original"], "has no original"),
        (["--model", "{generation}", "--figure", "x.jpg"], "x.jpg"),
    ],
)
def test_what_cannot_be_generated_is_refused(generation, trained, tmp_path, arguments, words):
    places = {"run": trained[0], "generation": generation[0], "gone": tmp_path / "gone.wav"}
    given = [argument.format(**places) for argument in arguments]
    assert words in refusal("generate", tmp_path / "out.wav", *given)
    assert not list(tmp_path.iterdir())


def test_a_generator_is_not_exported(generation, tmp_path):
    assert "use tfdream generate" in refusal("export", generation[0], tmp_path / "saved_model")


def test_a_judge_is_for_translations_alone(dataset, generation_path, trained, tmp_path):
    call = ("train", generation_path, dataset, tmp_path / "run", "--judge", trained[0])
    result = invoke(*call)
    assert result.exit_code == 2
    assert "belong to a CONFIG of a translation" in result.stderr
