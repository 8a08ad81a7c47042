import numpy as np

from tfdream.figures.classes import plot_classes


def test_bars_are_stacked_by_fold_with_their_totals(inspect_figure):
    for count in (1, 3, 30):
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
