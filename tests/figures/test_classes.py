import numpy as np

from tfdream.figures.classes import plot_classes


def test_bars_are_stacked_by_fold_with_their_totals(inspect_figure):
    for count in (1, 13):
        labels = [f"label {number} $" for number in range(count)]
        clips = np.arange(12 * count).reshape(12, count)
        shown = inspect_figure(plot_classes(labels, range(12), clips, clips // 5))
        assert shown.labels == {"clips", "tracks"}
        assert shown.legend == [f"fold {fold}" for fold in range(12)]
        for axis, counts in zip(shown.axes, (clips, clips // 5), strict=True):
            totals = counts.sum(axis=0)
            assert [text.get_text() for text in axis.texts] == [str(total) for total in totals]
            assert axis.get_xlim()[1] > totals.max()
            last_fold = axis.containers[-1]
            np.testing.assert_array_equal(
                [bar.get_x() + bar.get_width() for bar in last_fold], totals
            )
        assert [tick.get_text() for tick in shown.axes[0].get_yticklabels()] == labels


def test_size_and_texts_are_bounded_for_many_labels(inspect_figure):
    for count in (41, 500):
        labels = [f"label {number}" for number in range(count)]
        clips = np.arange(3 * count).reshape(3, count)
        figure = plot_classes(labels, range(3), clips, clips)
        shown = inspect_figure(figure, draw=count == 500)
        assert tuple(figure.get_size_inches()) == (10.0, 15.6)
        assert shown.legend == ["fold 0", "fold 1", "fold 2"]
        for axis in shown.axes:
            assert not axis.texts  # no totals
            values, _, baseline = axis.patches[-1].get_data()
            np.testing.assert_array_equal(values, clips.sum(axis=0))
            np.testing.assert_array_equal(baseline, clips[:2].sum(axis=0))
        assert len(shown.axes[0].get_yticklabels()) <= 80
