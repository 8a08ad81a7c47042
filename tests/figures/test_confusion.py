import numpy as np

from tfdream.figures.confusion import plot_confusion, plot_scores

PERFECT = {"recall": 1.0, "precision": 1.0, "f1": 1.0, "clips": 1}
NONE = {"recall": 0.0, "precision": 0.0, "f1": 0.0, "clips": 0}
ODD = ["A$AP _^ K$", "ölig", "a label that is longer than anybody would like to read " * 3]


def test_cells_count_clips_and_colors_are_shares_of_a_row(inspect_figure):
    shown = inspect_figure(plot_confusion(ODD, [[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    (axis,) = shown.axes
    assert shown.labels == {"predicted", "truth"}
    assert [text.get_text() for text in axis.texts] == list("310040000")
    # A label that never occurs has no shares, and is no division by zero.
    expected = [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(axis.images[0].get_array(), expected)
    assert axis.images[0].get_clim() == (0, 1)
    ticks = [tick.get_text() for tick in axis.get_xticklabels()]
    assert ticks[:2] == ODD[:2]
    assert len(ticks[2]) <= 32


def test_scores_are_drawn_beside_their_rows(inspect_figure):
    for count in (1, 3, 30):
        labels = [*ODD, *(f"label {number}" for number in range(27))][:count]
        matrix = np.diag([*[1] * (count - 1), 0]).tolist()
        shown = inspect_figure(plot_scores(labels, matrix, [*[PERFECT] * (count - 1), NONE]))
        left, right = shown.axes
        assert shown.legend == ["recall", "precision", "F1"]
        assert right.get_xlim() == (0, 1)
        assert right.get_ylim() == left.get_ylim()
        assert len(right.patches) == 3 * count
        assert right.get_yticklabels()[-1].get_text() == "0 clips"
