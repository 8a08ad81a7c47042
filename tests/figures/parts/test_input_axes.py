import numpy as np
import pytest

from tfdream.config import StftSpec
from tfdream.figures.parts.input_axes import InputAxes
from tfdream.signal.frontends.constant_q import ConstantQFrontendConfig
from tfdream.signal.frontends.features import FeatureFrontendConfig
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.frontends.raw import RawFrontendConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig

STFT = StftSpec(n_fft=256, hop_samples=64)


def axes(config):
    return InputAxes(config, sample_rate=8000, samples=16000)


def test_spacings_of_each_frontend():
    cases = [
        (RawFrontendConfig(kind="raw"), (16000, 1), [(1 / 8000, "s")]),
        (FeatureFrontendConfig(kind="features"), (72, 1), [(1, "features")]),
        (FeatureFrontendConfig(kind="autocorrelogram", stft=STFT), (51, 1), [(0.008, "s")]),
        (
            SpectrogramFrontendConfig(kind="amplitude", stft=STFT),
            (40, 20, 1),
            [(0.1, "kHz"), (0.1, "s")],
        ),
        (MelFrontendConfig(kind="mel", bands=32), (16, 20, 1), [(2, "mel bands"), (0.1, "s")]),
        (
            ConstantQFrontendConfig(kind="constant_q", octaves=6),
            (72, 20, 1),
            [(1 / 12, "octaves"), (0.1, "s")],
        ),
    ]
    for config, shape, expected in cases:
        spacings = [tuple(spacing) for spacing in axes(config).spacings(shape)]
        assert spacings == [(pytest.approx(size), unit) for size, unit in expected], config.kind


def test_image_rows_have_the_frequencies_of_their_frontend():
    linear = axes(SpectrogramFrontendConfig(kind="amplitude", stft=STFT)).frequencies_hz
    assert (len(linear), linear[0], linear[-1]) == (129, 0, 4000)
    constant_q = axes(ConstantQFrontendConfig(kind="constant_q", octaves=6)).frequencies_hz
    np.testing.assert_allclose(constant_q[12] / constant_q[0], 2)
    mel = axes(MelFrontendConfig(kind="mel", bands=32, max_hz=3000)).frequencies_hz
    assert (len(mel), mel[-1] < 3000) == (32, True)


def test_levels_scaled_to_the_range_of_each_clip_have_no_decibels():
    (decibels,) = axes(SpectrogramFrontendConfig(kind="amplitude", stft=STFT, top_db=60)).channels
    assert (decibels.label, decibels.zero, decibels.one) == ("level / dB", -60, 0)
    config = SpectrogramFrontendConfig(kind="amplitude_phase", stft=STFT, level_range="min_max")
    level, phase = axes(config).channels
    assert (level.zero, level.one) == (0, 1)
    assert "dB" not in level.label
    assert phase.label == "phase / °"
