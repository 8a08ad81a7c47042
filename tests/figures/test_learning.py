import numpy as np
import pytest

from tfdream import figures
from tfdream.errors import ModelError

PERFECT = {"recall": 1.0, "precision": 1.0, "f1": 1.0, "clips": 1}
NONE = {"recall": 0.0, "precision": 0.0, "f1": 0.0, "clips": 0}
MANY = pytest.param(30, marks=pytest.mark.slow)
ODD = ["A$AP _^ K$", "ölig", "a label that is longer than anybody would like to read " * 3]


def test_a_history_is_drawn(trained, tmp_path, assert_picture):
    figures.history(trained[0], tmp_path / "history.png")
    assert_picture(tmp_path / "history.png")


def test_a_history_without_validation_is_drawn(tmp_path, assert_picture):
    (tmp_path / "history.csv").write_text("epoch,loss,accuracy\n1,0.7,0.5\n")
    figures.history(tmp_path, tmp_path / "history.svg")
    assert_picture(tmp_path / "history.svg")


def test_a_verdict_that_is_missing_leaves_a_gap(tmp_path, assert_picture):
    (tmp_path / "history.csv").write_text("epoch,cycle\n1,0.7\n2,0.5\n")
    (tmp_path / "judged.csv").write_text("epoch,share_to_A$AP_K$\n1,\n2,0.5\n")
    figures.history(tmp_path, tmp_path / "history.svg")
    assert_picture(tmp_path / "history.svg")


def test_a_run_without_history_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="train at least one epoch"):
        figures.history(tmp_path, tmp_path / "history.png")


@pytest.mark.parametrize("text", ["epoch,loss\n1,much\n", "loss\n1\n", "epoch\n1,2\n", "\x00\n1\n"])
def test_a_damaged_history_is_a_model_error(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ModelError, match=r"history\.csv' is damaged"):
        figures.history(tmp_path, tmp_path / "history.png")


def test_a_confusion_is_drawn_even_where_a_label_never_occurs(tmp_path, assert_picture):
    figures.confusion(ODD, [[3, 1, 0], [0, 4, 0], [0, 0, 0]], tmp_path / "confusion.png")
    assert_picture(tmp_path / "confusion.png")


@pytest.mark.parametrize("count", [1, 3, MANY])
def test_classes_are_drawn_beside_their_confusion(tmp_path, count, assert_picture):
    labels = [*ODD, *(f"label {number}" for number in range(27))][:count]
    matrix = np.diag([*[1] * (count - 1), 0]).tolist()
    rows = [*[PERFECT] * (count - 1), NONE]
    figures.per_class(labels, matrix, rows, tmp_path / "classes.png")
    assert_picture(tmp_path / "classes.png")


@pytest.mark.parametrize("count", [1, 3, MANY])
def test_the_sizes_of_classes_are_drawn(tmp_path, count, assert_picture):
    labels = [*ODD, *(f"label {number}" for number in range(27))][:count]
    clips = np.arange(12 * count).reshape(12, count)
    figures.classes(labels, range(12), clips, clips // 5, tmp_path / "classes.svg")
    text = (tmp_path / "classes.svg").read_text(encoding="utf-8")
    assert "fold 11" in text
    assert str(clips.sum(axis=0)[-1]) in text
    assert_picture(tmp_path / "classes.svg")
