import numpy as np
import pytest

from tfdream import figures
from tfdream.config import (
    ConstantQFrontendConfig,
    FeatureFrontendConfig,
    MelFrontendConfig,
    RawFrontendConfig,
    SpectrogramFrontendConfig,
    StftSpec,
)
from tfdream.figures import InputAxes

STFT = StftSpec(n_fft=256, hop_samples=64)


def axes(config):
    return InputAxes(config, sample_rate=8000, samples=16000)


@pytest.mark.parametrize(
    ("config", "shape", "steps"),
    [
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
    ],
)
def test_the_steps_of_an_input(config, shape, steps):
    assert [tuple(step) for step in axes(config).steps(shape)] == [
        (pytest.approx(size), unit) for size, unit in steps
    ]


def test_the_rows_of_an_image_are_at_their_frequencies():
    linear = axes(SpectrogramFrontendConfig(kind="amplitude", stft=STFT)).frequencies_hz
    assert (len(linear), linear[0], linear[-1]) == (129, 0, 4000)
    constant_q = axes(ConstantQFrontendConfig(kind="constant_q", octaves=6)).frequencies_hz
    np.testing.assert_allclose(constant_q[12] / constant_q[0], 2)
    mel = axes(MelFrontendConfig(kind="mel", bands=32, max_hz=3000)).frequencies_hz
    assert (len(mel), mel[-1] < 3000) == (32, True)


@pytest.mark.parametrize("kind", ["amplitude_phase", "log1p"])
def test_octaves_of_every_kind_of_image_are_drawn(tmp_path, kind, assert_picture):
    inputs = axes(SpectrogramFrontendConfig(kind=kind, stft=STFT))
    channels = len(inputs.channels)
    views = [[np.zeros((4, 3, channels)), np.ones((8, 6, channels))]]
    figures.octaves(views, ["after$" * 40], inputs, tmp_path / "octaves.svg", 2.5)
    text = (tmp_path / "octaves.svg").read_text(encoding="utf-8")
    assert "8 × 6" in text
    assert "frequency / Hz" in text
    assert_picture(tmp_path / "octaves.svg")


def test_a_network_of_samples_has_one_octave(tmp_path, assert_picture):
    inputs = axes(RawFrontendConfig(kind="raw"))
    figures.octaves([[np.zeros((16000, 1))]], ["a"], inputs, tmp_path / "octaves.png")
    assert_picture(tmp_path / "octaves.png")


def test_gram_matrices_are_drawn_with_their_distances(tmp_path, assert_picture):
    target = {"conv1": np.eye(3), "conv$2": np.ones((1000, 1000))}
    matrices = [{"conv1": 2 * np.eye(3), "conv$2": np.zeros((1000, 1000))}, target]
    figures.grams(matrices, ["content", "style"], tmp_path / "gram.svg")
    text = (tmp_path / "gram.svg").read_text(encoding="utf-8")
    assert text.count("distance 1 ") + text.count("distance 1<") + text.count("distance 1-") >= 2
    assert_picture(tmp_path / "gram.svg")


def test_gram_matrices_of_silence_are_drawn(tmp_path, assert_picture):
    figures.grams([{"a": np.zeros((2, 2))}], ["silence"], tmp_path / "gram.png")
    assert_picture(tmp_path / "gram.png")
