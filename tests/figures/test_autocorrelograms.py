import numpy as np

from tfdream.figures.autocorrelograms import plot_autocorrelograms


def test_axes_are_seconds_and_common_to_all_files(inspect_figure):
    short = np.array([0.0, 1.0]), np.ones((20, 1), np.float32)
    long = np.array([0.0, 1.0, 3.0]), np.zeros((20, 2), np.float32)
    shown = inspect_figure(plot_autocorrelograms([short, long], 0.05, ["short", "long"]))
    assert shown.titles == ["short", "long"]
    assert shown.labels == {"lag / s", "time / s", "autocorrelation"}
    for axis in shown.axes[:2]:
        assert axis.get_xlim() == (0, 3)
        assert axis.get_ylim() == (0, (20 - 0.5) * 0.05)
        assert axis.collections[0].get_clim() == (0, 1)
