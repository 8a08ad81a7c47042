import numpy as np

from tfdream.config import StftSpec
from tfdream.figures.octaves import plot_octaves
from tfdream.figures.parts.input_axes import InputAxes
from tfdream.signal.frontends.raw import RawFrontendConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig

STFT = StftSpec(n_fft=256, hop_samples=64)


def test_octaves_of_images_have_sizes_units_and_color_scales(inspect_figure):
    scales = {
        "amplitude_phase": {"level / dB", "phase / °"},
        "log1p": {"log(1 + magnitude)"},
    }
    for kind, colors in scales.items():
        config = SpectrogramFrontendConfig(kind=kind, stft=STFT)
        axes = InputAxes(config, sample_rate=8000, samples=16000)
        channels = len(axes.channels)
        views = [[np.zeros((4, 3, channels)), np.full((8, 6, channels), 2.0)]]
        shown = inspect_figure(plot_octaves(views, ["after$" * 40], axes, start_seconds=2.5))
        assert shown.labels == {"frequency / Hz", "time / s", *colors}
        title, size = shown.titles[0].split("\n")
        assert len(title) <= 40
        assert size == "4 × 3"
        assert "8 × 6" in shown.titles
        below = shown.axes[channels]
        assert below.get_xlim() == (2.5, 4.5)
        assert [tick.get_text() for tick in below.get_yticklabels()][:2] == ["0", "800"]


def test_unbounded_channels_are_scaled_to_the_maximum(inspect_figure):
    config = SpectrogramFrontendConfig(kind="log1p", stft=STFT)
    axes = InputAxes(config, sample_rate=8000, samples=16000)
    shown = inspect_figure(plot_octaves([[np.full((8, 6, 1), 2.0)]], ["a"], axes))
    assert shown.axes[0].images[0].get_clim() == (0, 2)


def test_waveform_input_is_drawn_over_time(inspect_figure):
    axes = InputAxes(RawFrontendConfig(kind="raw"), sample_rate=8000, samples=16000)
    shown = inspect_figure(plot_octaves([[np.zeros((16000, 1))]], ["a"], axes))
    assert shown.labels == {"value", "time / s"}
    (line,) = shown.axes[0].lines
    assert line.get_xdata()[-1] == 15999 / 8000
