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
        scores = [*[PERFECT] * (count - 1), NONE]
        shown = inspect_figure(plot_scores(labels, matrix, scores), draw=count < 30)
        left, right = shown.axes
        assert shown.legend == ["recall", "precision", "F1"]
        assert right.get_xlim() == (0, 1)
        assert right.get_ylim() == left.get_ylim()
        assert len(right.patches) == 3 * count
        assert right.get_yticklabels()[-1].get_text() == "0 clips"


def test_size_and_texts_are_bounded_for_many_labels(inspect_figure):
    sizes = set()
    for count in (41, 1000):
        labels = [f"label {number}" for number in range(count)]
        scores = {"recall": 0.5, "precision": 0.25, "f1": 1 / 3, "clips": 7}
        matrix = np.eye(count, dtype=int)
        for figure in (
            plot_confusion(labels, matrix),
            plot_scores(labels, matrix, [scores] * count),
        ):
            shown = inspect_figure(figure, draw=count == 1000 and len(figure.axes) == 2)
            sizes.add(tuple(figure.get_size_inches()))
            axis = shown.axes[0]
            assert not axis.texts  # no counts
            np.testing.assert_array_equal(axis.images[0].get_array(), matrix)
            names = [tick.get_text() for tick in axis.get_yticklabels()]
            assert len(names) <= 80
            assert names == labels[:: -(-count // 80)]
        assert len(shown.axes[1].patches) == 0  # points instead of bars
        assert [len(line.get_xdata()) for line in shown.axes[1].lines] == [count] * 3
        assert shown.legend == ["recall", "precision", "F1"]
    assert "truth (one name of 13 is shown)" in shown.labels
    assert sizes == {(26.8, 16.0)}


def test_cells_of_40_labels_have_numbers(inspect_figure):
    labels = [str(number) for number in range(40)]
    shown = inspect_figure(plot_confusion(labels, np.ones((40, 40), int)), draw=False)
    assert len(shown.axes[0].texts) == 1600
