import numpy as np

from tfdream.figures.gram import plot_grams


def test_titles_give_the_difference_from_the_last_file(inspect_figure):
    target = {"conv1": np.eye(3), "conv$2": np.ones((1000, 1000))}
    matrices = [{"conv1": 2 * np.eye(3), "conv$2": np.zeros((1000, 1000))}, target]
    shown = inspect_figure(plot_grams(matrices, ["content", "style"]))
    assert shown.titles == [
        *("content\nconv1: relative difference 1", "style\nconv1"),
        *("content\nconv$2: relative difference 1", "style\nconv$2"),
    ]
    assert shown.labels == {"feature", "level / dB"}
    large = shown.axes[2]
    assert large.get_xlim() == (0, 1000)
    assert large.images[0].get_array().shape == (400, 400)
    assert large.images[0].get_clim() == (-30, 0)


def test_gram_matrices_of_silence_are_drawn(inspect_figure):
    shown = inspect_figure(plot_grams([{"a": np.zeros((2, 2))}], ["silence"]))
    assert (shown.axes[0].images[0].get_array() == -30).all()
