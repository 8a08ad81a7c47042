"""Errors that the user can fix are one line; programming errors keep their traceback."""

import pytest
from calling import invoke, refusal

# Arguments of a command, and words of its message.
REFUSED = [
    (["prepare", "{gone}", "{new}", "--config", "lil_data"], "'{gone}' does not exist"),
    (["prepare", "{source}", "{new}", "--config", "no_such"], "config 'no_such' is neither"),
    (["prepare", "{source}", "{new}", "--config", "lil_data", "--set", "x=1"], "setting 'x'"),
    (["prepare", "{source}", "{new}", "--config", "lil_data", "--set", "x"], "not KEY=VALUE"),
    (["prepare", "{source}", "{new}", "--config", "lil_data", "--layout", "csv"], "manifest"),
    (["prepare", "{source}", "{dataset}", "--config", "{config}", "--set", "prepare.seed=9"],
     "--force to replace it"),
    (["train", "{config}", "{gone}", "{new}"], "run tfdream prepare first"),
    (["train", "{config}", "{dataset}", "{new}", "--test-fold", "9"], "test_fold=9"),
    (["train", "{config}", "{dataset}", "{new}", "--test-fold", "none"], "validate_on=none"),
    (["train", "{config}", "{dataset}", "{new}", "--set", "model.name=hal"], "model.name=hal"),
    (["train", "{config}", "{dataset}", "{new}", "--set", "model.options.x=1"], "'x'"),
    (["train", "{config}", "{dataset}", "{new}", "--data-service", "host"],
     "not the address of a dispatcher"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--data-service", "host"],
     "for classifiers only"),
    (["data-worker", "--join", "host"], "not the address of a dispatcher"),
    (["train", "{config}", "{dataset}", "{run}", "--set", "training.seed=3"], "--force"),
    (["train", "lil_data", "{dataset}", "{new}"], "sample_rate=8000"),
    (["train", "{config}", "{dataset}", "{new}", "--set", "frontend={{kind: raw}}"], "shape"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--set", "labels=[noise, jazz]"], "'jazz'"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--set", "model.name=hal"], "small_cycle"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--set", "training.pool_images=1"], "or 0"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--second", "{gone}"], "tfdream prepare"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--second", "{dataset}"], "both labels"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--judge", "{gone}"], "is not a run folder"),
    (["train", "{cyclegan}", "{dataset}", "{new}", "--judge", "{translation}"], "a classifier"),
    (["train", "{cyclegan}", "{dataset}", "{run}"], "--force"),
    (["train", "{config}", "{dataset}", "{translation}"], "--force"),
    (["crossvalidate", "{cyclegan}", "{dataset}", "{new}"], "task='translate'"),
    (["evaluate", "{translation}", "{dataset}"], "is a translation"),
    (["predict", "{translation}", "{song}"], "is a translation"),
    (["layers", "{translation}"], "is a translation"),
    (["dream", "{song}", "{new}.wav", "--model", "{translation}"], "is a translation"),
    (["translate", "{song}", "{new}.wav", "--model", "{run}"], "is a classifier"),
    (["translate", "{song}", "{new}.wav", "--model", "{gone}"], "is not a run folder"),
    (["translate", "{gone}", "{new}.wav", "--model", "{translation}"], "does not exist"),
    (["translate", "{song}", "{new}.mp3", "--model", "{translation}"], "does not end in one"),
    (["translate", "{song}", "{song}", "--model", "{translation}"], "--force"),
    (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--to", "jazz"],
     "to='jazz' is not a label"),
    (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--set",
      "tiles.seconds=2"], "tiles.seconds=2"),
    (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--set", "x=1"], "'x'"),
    (["translate", "{song}", "{new}.wav", "--model", "{translation}", "--figure", "x.jpg"],
     "'x.jpg'"),
    (["evaluate", "{gone}", "{dataset}"], "is not a run folder"),
    (["evaluate", "{run}", "{gone}"], "run tfdream prepare first"),
    (["evaluate", "{run}", "{dataset}", "--fold", "9"], "fold 9 is not"),
    (["evaluate", "{run}", "{dataset}", "--adapt"], "no batch normalization to adapt"),
    (["evaluate", "{run}", "{dataset}", "--figure", "{new}"], "does not end in one of"),
    (["train", "{config}", "{dataset}", "{new}", "--set", "prepare.folds=2"],
     "prepared with folds=3, prepare.folds=2 is required; prepare it again"),
    (["crossvalidate", "{config}", "{dataset}", "{new}", "--set", "prepare={{seed: 9, "
      "sample_rate: 8000, clip_seconds: 1}}"], "or leave out prepare.seed"),
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
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "x("], "cannot be parsed"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--set", "seed=-1"], "seed=-1"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--figure", "x.jpg"], "'x.jpg'"),
    (["dream", "{song}", "{new}.flac", "--model", "{run}", "--bits", "32"], "bits=32"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--start", "99"], "start=99 s is"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--guide", "{song}"], "not use a guide"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "guide_dot()"],
     "--guide"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "guide_dot()",
      "--guide", "{gone}"], "does not exist"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--objective", "class_logit(jazz)"],
     "noise, tones"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--from", "noise"], "init=noise"),
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
     "is not a writable folder"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--tensorboard", "{song}"],
     "is not a folder"),
    (["dream", "{song}", "{song}", "--model", "{run}", "--force"], "would replace"),
    (["transfer", "{song}", "{song}", "{song}", "--force"], "would replace"),
    (["dream", "{empty}", "{new}", "--model", "{run}"], "no audio file in"),
    (["dream", "{song}", "{new}.wav", "--model", "{run}", "--report", "{new}.pdf"], ".html"),
    (["transfer", "{song}", "{song}", "{new}.wav", "--report", "{new}.html", "--judge",
      "{gone}"], "is not a run folder"),
    (["compare", "{song}", "{song}", "--model", "{translation}"], "is a translation"),
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
    (["train", "small_cyclegan", "{dataset}", "b", "--judge", "{run}", "--set",
      "training.validate_on=none"], "validate_on=none"),
]  # fmt: skip


WRONG_CALLS = [
    ["no-such-command"],
    ["prepare"],
    ["prepare", "a", "b"],
    ["prepare", "a", "b", "--config", "lil_data", "--workers", "0"],
    ["prepare", "a", "b", "--config", "lil_data", "--layout", "spiral"],
    ["train", "lil_data", "a", "b", "--epochs", "0"],
    ["train", "lil_data", "a", "b", "--test-fold", "first"],
    ["translate", "a", "b"],
    ["translate", "a", "--model", "c"],
    ["translate", "a", "b", "--model", "c", "--mix", "1.5"],
    ["translate", "a", "b", "--model", "c", "--bits", "17"],
    ["evaluate", "a"],
    ["crossvalidate", "lil_data", "a"],
    ["crossvalidate", "lil_data", "a", "b", "--epochs", "0"],
    ["predict", "a"],
    ["dream", "a", "b", "--model", "c", "--bits", "17"],
    ["dream", "a", "b", "--model", "c", "--layer", "x", "--objective", "y()"],
    ["dream", "a", "--model", "c"],
    ["dream", "a", "b", "c", "--model", "d", "--figure", "e.png"],
    ["dream", "a", "b", "c", "--model", "d", "--report", "e.html"],
    ["dream", "a", "b", "--model", "c", "--judge", "d"],
    ["transfer", "a", "b", "c", "--judge", "d", "--figure", "e.png"],
    ["compare", "a"],
    ["compare-models", "a", "b", "c", "--config", "style.yaml"],
    ["compare-models", "a", "b", "c", "--translator", "verdicts"],
    ["compare-models", "a", "b", "c", "--to", "jazz"],
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
    ["dream", "a", "b", "c.wav", "--model", "d"],
    ["dream", "a", "b", "--model", "c", "--seconds", "inf"],
    ["corpus", "a", "--seconds", "nan"],
    ["corpus", "a", "--seconds", "0.09"],
    ["dream", "a", "caf\udce9.wav", "--model", "c"],
    ["train", "a", "b", "c", "--strategy", "none"],
    ["data-worker"],
    ["train", "lil_data", "a", "b", "--second", "c"],
    ["train", "lil_data", "a", "b", "--judge", "c"],
    ["transfer", "a", "b", "c", "--keep", "rhythm"],
    ["transfer", "a", "b", "c", "--seed", "1"],
    ["transfer", "a", "b", "c", "--stems", "drums=d"],
    ["data-worker", "--dispatcher"],
    ["data-worker", "--join", "a", "--worker", "b"],
]


LARGE = "9" * 20


@pytest.fixture
def places(
    source, song, dataset, trained, translation, experiment_path, translation_path, tmp_path
):
    """Values of the placeholders in the calls below."""
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


def test_errors_that_the_user_can_fix_are_one_line(places, tmp_path):
    wrong = {}
    for arguments, words in REFUSED:
        message = refusal(*(argument.format(**places) for argument in arguments))
        if words.format(**places) not in message:
            wrong[" ".join(arguments)] = message
        assert list(tmp_path.iterdir()) == [], arguments
    assert not wrong, "\n".join(f"{call}\n  {message}" for call, message in wrong.items())


def test_wrong_calls_are_usage_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (*"abcd", "verdicts"):  # inputs that exist, as far as the calls get
        (tmp_path / name).mkdir()
        for file in ("run.json", "dataset.json"):
            (tmp_path / name / file).touch()
    for arguments in WRONG_CALLS:
        result = invoke(*arguments)
        assert result.exit_code == 2, arguments
        assert "Usage: " in result.stderr, arguments
        assert result.stdout == "", arguments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dream", "a", "b", "--seed", LARGE], f"'--seed': {LARGE} is not in the range"),
        (["invert", "a", "b", "--seed", "-1"], "'--seed': -1 is not in the range"),
        (["dream", "a", "b", "--repeats", LARGE], f"'--repeats': {LARGE} is too long; the limit"),
        (["train", "a", "b", "c", "--epochs", LARGE], f"'--epochs': {LARGE} is too long; the"),
        (["dream", "a", "b", "--start", "1e305"], "'--start': 1e305 is not a finite number of at"),
        (["dream", "a", "b", "--seconds", "1e305"], "'--seconds': 1e305 is not a finite"),
        (["corpus", "a", "--seconds", "1e305"], "'--seconds': 1e305 is not a finite number"),
        (["plot", "octaves", "a", "b", "--model", "c", "--start", "1e305"], "'--start': 1e+305 is"),
        (["plot", "autocorrelograms", "a", "b", "--seconds", "1e305"], "1e+305 is too large; the"),
    ],
)
def test_an_option_that_is_too_large_is_named_with_its_limit(arguments, words):
    assert words in invoke(*arguments).stderr


def test_programming_errors_keep_their_traceback(source, tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("tfdream.datasets.preparation.prepare.prepare", fail)
    result = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert isinstance(result.exception, ZeroDivisionError)
