import numpy as np
import pytest

from tfdream.errors import ModelError
from tfdream.figures.history import plot_history


def test_history_of_a_classifier_shows_training_and_validation(trained, inspect_figure):
    shown = inspect_figure(plot_history(trained[0]))
    assert shown.labels == {"loss", "accuracy", "macro F1", "epoch"}
    assert shown.legend == ["training", "validation"] * 3
    assert shown.titles == [trained[0].name]


def test_history_without_validation_shows_training_alone(tmp_path, inspect_figure):
    (tmp_path / "history.csv").write_text("epoch,loss,accuracy\n1,0.7,0.5\n")
    shown = inspect_figure(plot_history(tmp_path))
    assert shown.legend == ["training", "training"]
    (line,) = shown.axes[0].lines
    assert line.get_xydata().tolist() == [[1, 0.7]]


def test_the_only_epoch_of_a_run_has_a_tick(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,accuracy\n1,0.5,0.8\n")
    figure = plot_history(tmp_path)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    low, high = axis.get_xlim()
    assert [tick for tick in axis.get_xticks() if low <= tick <= high] == [1]


def test_missing_judgement_leaves_a_gap(tmp_path, inspect_figure):
    (tmp_path / "history.csv").write_text("epoch,cycle\n1,0.7\n2,0.5\n")
    (tmp_path / "judged.csv").write_text("epoch,judge,share_to_A$AP_K$\n1,f00d,\n2,f00d,0.5\n")
    shown = inspect_figure(plot_history(tmp_path))
    assert shown.labels == {"mean difference", "judged as", "epoch"}
    axis = shown.axes[-1]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [np.nan, 0.5])
    assert axis.get_ylim() == (0, 1)
    assert axis.get_legend().get_texts()[0].get_text() == r"A\$AP K\$"


def test_losses_of_a_translation_without_a_weight_are_left_out(tmp_path, inspect_figure):
    (tmp_path / "history.csv").write_text(
        "epoch,cycle,identity,features,onsets,generator_forward,spread_forward,val_identity\n"
        "1,0,0.5,0.3,0,0.2,0.9,0.6\n"
    )
    shown = inspect_figure(plot_history(tmp_path))
    assert shown.labels == {
        *("generators", "spread", "mean difference", "feature matching", "epoch")
    }
    assert shown.legend == [
        *("forward", "forward", "identity, training", "identity, validation", "onsets, training"),
        "features, training",
    ]


def test_run_without_history_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="train at least one epoch"):
        plot_history(tmp_path)


def test_damaged_history_is_a_model_error(tmp_path):
    for text in ("epoch,loss\n1,much\n", "loss\n1\n", "epoch\n1,2\n", "\x00\n1\n"):
        (tmp_path / "history.csv").write_text(text)
        with pytest.raises(ModelError, match=r"history\.csv' is damaged"):
            plot_history(tmp_path)
