"""What changes each statistic of a style, and what does not."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import FeatureNetworkConfig, load_transfer, validate
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.synthesis.ascent.objectives import INPUT
from tfdream.synthesis.ascent.spectrum import Spectrum
from tfdream.synthesis.ascent.statistics import (
    BandLevels,
    autocorrelation,
    envelope,
    modulation,
    statistic_loss,
)
from tfdream.synthesis.audio_model import FeatureNetwork

RATE = 8000
SECONDS = 2


@pytest.fixture(scope="module")
def config():
    return load_transfer(
        "transfer/texture",
        [
            "network.options={filters: 4, kernel_size: 3, seed: 0}",
            f"network.sample_rate={RATE}",
            f"network.clip_seconds={SECONDS}",
            "network.frontend={kind: log1p, stft: {n_fft: 512, hop_samples: 128}}",
        ],
    )


@pytest.fixture(scope="module")
def audio_model(config):
    return FeatureNetwork.build(config.network)


def sound(hertz=220.0, brightness=0.5, beats_per_second=2.0, depth=1.0):
    """Notes with a decay, float32 `[samples]`; the brightness is the ratio of partials."""
    time = np.arange(SECONDS * RATE) / RATE
    partials = np.arange(1, 1 + int(3500 / hertz))
    strengths = brightness ** np.log2(partials)
    tone = (strengths[:, np.newaxis] * np.sin(2 * np.pi * hertz * np.outer(partials, time))).sum(0)
    decay = np.exp(-6 * depth * (time * beats_per_second % 1) / beats_per_second)
    return (0.2 * tone / np.abs(tone).max() * decay).astype(np.float32)


@pytest.fixture
def loss(config, audio_model, tmp_path):
    """The loss of a sound for a style: (name, style, sound) → number."""

    def compute(name, style, changed):
        path = tmp_path / "style.wav"
        soundfile.write(path, style, RATE, "FLOAT")
        objective = statistic_loss(name, path, audio_model, config, None)
        view = audio_model.frontend(tf.constant(changed[np.newaxis]))
        return float(objective.value({INPUT: view}, ())[0])

    return compute


@pytest.mark.parametrize("name", ["envelope", "modulation", "autocorrelation"])
def test_the_style_itself_has_no_loss(loss, name):
    assert loss(name, sound(), sound()) == pytest.approx(0, abs=1e-4)


def test_the_envelope_depends_on_timbre_more_than_on_pitch(loss):
    timbre = loss("envelope", sound(), sound(brightness=0.9))
    assert timbre > 4 * loss("envelope", sound(), sound(hertz=262))
    assert timbre > 4 * loss("envelope", sound(), 0.1 * sound())


def test_the_modulation_depends_on_decay_more_than_on_pitch(loss):
    decay = loss("modulation", sound(), sound(depth=0.2))
    assert decay > 4 * loss("modulation", sound(), sound(hertz=262))


def test_the_autocorrelation_depends_on_tempo_more_than_on_pitch_and_phase(loss):
    tempo = loss("autocorrelation", sound(), sound(beats_per_second=3))
    assert tempo > 4 * loss("autocorrelation", sound(), sound(hertz=262))
    assert tempo > 4 * loss("autocorrelation", sound(), np.roll(sound(), RATE // 4))


@pytest.mark.parametrize("statistic", [envelope, modulation, autocorrelation])
def test_gradients_are_finite_and_reach_silent_and_sounding_inputs(statistic, config, audio_model):
    levels = BandLevels(Spectrum.of(audio_model.frontend, RATE, "this"))
    for wave in (sound(), np.zeros_like(sound())):
        image = tf.constant(audio_model.frontend(tf.constant(wave[np.newaxis])))
        with tf.GradientTape() as tape:
            tape.watch(image)
            value = tf.reduce_sum(statistic(levels(image)) ** 2)
        assert np.isfinite(tape.gradient(value, image)).all()


@pytest.mark.parametrize("columns", [2, 4, 5])
def test_the_autocorrelation_of_a_few_columns_is_finite(columns):
    levels = tf.random.stateless_normal([2, columns, 32], seed=[0, 0])
    result = autocorrelation(levels)
    assert result.shape[1] > 0
    assert np.isfinite(result).all()


def test_an_input_without_spectrum_is_refused():
    section = validate(
        {"kind": "features", "name": "random_conv1d", "frontend": {"kind": "raw"}},
        FeatureNetworkConfig,
        "test",
    ).frontend
    with pytest.raises(ConfigError, match="style_statistics=envelope needs an image of levels"):
        Spectrum.of(frontends.build(section, RATE), RATE, "style_statistics=envelope")
