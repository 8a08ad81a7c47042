import numpy as np
import pytest

from tfdream.errors import ModelError
from tfdream.figures.losses import plot_losses


def test_curves_of_all_models_start_at_one(inspect_figure):
    shown = inspect_figure(plot_losses({"cnn": [4.0, 2.0, 1.0], "rnn": [0.1, 0.05], "gan": []}))
    (axis,) = shown.axes
    assert shown.legend == ["cnn", "rnn"]
    assert axis.get_yscale() == "log"
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [1, 0.5, 0.25])
    np.testing.assert_allclose(axis.lines[1].get_ydata(), [1, 0.5])


def test_trained_models_have_panels_of_their_own(translation, inspect_figure):
    shown = inspect_figure(plot_losses({"cnn": [0.0, 1.0]}, {"gan": translation[0]}))
    assert shown.labels == {"step", "loss / first loss", "epoch", "loss"}
    assert shown.titles == ["gan: training"]
    assert "generator, forward" in shown.legend
    assert shown.axes[0].get_yscale() == "linear"


def test_a_translator_without_history_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="train at least one epoch"):
        plot_losses({}, {"gan": tmp_path})
