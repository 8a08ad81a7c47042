import shutil

import numpy as np
import pytest
import soundfile

from tfdream import figures
from tfdream.errors import AudioError, ConfigError, ModelError

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}

PERFECT = {"recall": 1.0, "precision": 1.0, "f1": 1.0, "clips": 1}
NONE = {"recall": 0.0, "precision": 0.0, "f1": 0.0, "clips": 0}


def assert_picture(path):
    assert path.read_bytes().startswith(MAGIC[path.suffix])
    assert [other.name for other in path.parent.iterdir() if "partial" in other.name] == []


@pytest.mark.parametrize("extension", MAGIC)
def test_spectrograms_of_any_two_files(song, tmp_path, extension):
    soundfile.write(tmp_path / "short.wav", np.zeros((10, 2)), 44100)
    output = tmp_path / f"both{extension}"
    figures.spectrograms([song, tmp_path / "short.wav"], output, ["a song"])
    assert_picture(output)


def test_silence_can_be_drawn(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    figures.spectrograms([tmp_path / "silence.wav"], tmp_path / "silence.png")
    assert_picture(tmp_path / "silence.png")


def test_dollars_in_names_are_no_formulas(song, tmp_path):
    name = "A$AP _^ K$.wav"
    shutil.copy(song, tmp_path / name)
    figures.spectrograms([tmp_path / name, song], tmp_path / "two.svg", [name])
    assert_picture(tmp_path / "two.svg")
    figures.confusion([name, "b"], [[1, 0], [0, 1]], tmp_path / "confusion.svg")
    assert_picture(tmp_path / "confusion.svg")
    figures.per_class([name, "b"], [[1, 0], [0, 1]], [PERFECT, PERFECT], tmp_path / "classes.svg")
    assert_picture(tmp_path / "classes.svg")


def test_a_recording_that_cannot_be_read_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav"):
        figures.spectrograms([tmp_path / "gone.wav"], tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_a_history_is_drawn(trained, tmp_path):
    figures.history(trained[0], tmp_path / "history.png")
    assert_picture(tmp_path / "history.png")


def test_a_history_without_validation_is_drawn(trained, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,accuracy\n1,0.7,0.5\n")
    figures.history(tmp_path, tmp_path / "history.svg")
    assert_picture(tmp_path / "history.svg")


def test_a_run_without_history_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="train at least one epoch"):
        figures.history(tmp_path, tmp_path / "history.png")


def test_a_confusion_is_drawn_even_where_a_label_never_occurs(tmp_path):
    labels = ["noise", "tones", "silence"]
    figures.confusion(labels, [[3, 1, 0], [0, 4, 0], [0, 0, 0]], tmp_path / "confusion.png")
    assert_picture(tmp_path / "confusion.png")


@pytest.mark.parametrize("count", [1, 2, 12])
def test_classes_are_drawn_beside_their_confusion(tmp_path, count):
    labels = [f"label {number}" for number in range(count)]
    matrix = np.diag([*[1] * (count - 1), 0]).tolist()
    rows = [*[PERFECT] * (count - 1), NONE]
    figures.per_class(labels, matrix, rows, tmp_path / "classes.png")
    assert_picture(tmp_path / "classes.png")


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.wav", "png"])
def test_another_extension_is_refused_with_those_that_are_known(trained, song, tmp_path, name):
    draw = [
        lambda output: figures.spectrograms([song], output),
        lambda output: figures.history(trained[0], output),
        lambda output: figures.confusion(["a"], [[1]], output),
        lambda output: figures.per_class(["a"], [[1]], [PERFECT], output),
        figures.check_writable,
    ]
    for one in draw:
        with pytest.raises(ConfigError, match=rf"'{name}' does not end in one of: .png, .svg"):
            one(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_takes_the_place_of_the_old_one(trained, tmp_path):
    shutil.copy(__file__, tmp_path / "old.png")
    figures.history(trained[0], tmp_path / "old.png")
    assert_picture(tmp_path / "old.png")
