"""The frontend of musicnn: compressed power in mel bands."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import PhaseConfig, StftSpec
from tfdream.signal import frontends
from tfdream.signal.frontends.log_mel import LogMelFrontendConfig
from tfdream.signal.scales import LogPower, round_to_float16

RATE = 16000
SAMPLES = 186 * 256  # 187 frames
MUSICNN = {"stft": StftSpec(n_fft=512, hop_samples=256), "bands": 96}


def build(**settings):
    return frontends.build(LogMelFrontendConfig(kind="log_mel", **MUSICNN, **settings), RATE)


@pytest.fixture(scope="module")
def waveform():
    rng = np.random.default_rng(0)
    seconds = np.arange(SAMPLES) / RATE
    chord = np.sin(2 * np.pi * np.array([[220], [277], [1330]]) * seconds).sum(axis=0) / 5
    return (chord + 0.01 * rng.standard_normal(SAMPLES)).astype(np.float32)[np.newaxis]


@pytest.mark.parametrize("float16", [False, True])
def test_the_image_is_that_of_musicnn(waveform, float16):
    mel = librosa.feature.melspectrogram(
        y=waveform[0], sr=RATE, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    rounded = mel.astype(np.float16).astype(np.float32) if float16 else mel
    expected = np.log10(10000 * rounded + 1)
    image = build(float16=float16)(tf.constant(waveform)).numpy()
    assert image.shape == (1, 96, 187, 1)
    difference = np.abs(image[0, ..., 0] - expected)
    # float32 of sums; a value near the middle of two float16 numbers may be rounded to the other.
    assert np.quantile(difference, 0.99) < 1e-4
    assert difference.max() < (2e-3 if float16 else 1e-4)


def test_rounding_has_the_range_of_float16_and_passes_the_gradient():
    values = tf.constant([0.0, 1e-9, 1.0001, 1e9])
    with tf.GradientTape() as tape:
        tape.watch(values)
        rounded = round_to_float16(values)
    np.testing.assert_array_equal(rounded, np.float32([0, 0, 1, 65504]))
    np.testing.assert_array_equal(tape.gradient(rounded, values), np.ones(4))


def test_the_gradient_is_nearly_that_without_rounding(waveform):
    gradients = []
    for float16 in (False, True):
        frontend = build(float16=float16)
        with tf.GradientTape() as tape:
            samples = tf.constant(waveform)
            tape.watch(samples)
            total = tf.reduce_sum(frontend(samples))
        gradients.append(tape.gradient(total, samples).numpy().ravel())
    cosine = gradients[0] @ gradients[1] / np.prod([np.linalg.norm(each) for each in gradients])
    assert cosine > 0.999


def test_the_image_depends_on_the_loudness(waveform):
    frontend = build()
    soft, loud = (frontend(tf.constant(gain * waveform)).numpy() for gain in (0.1, 1.0))
    assert (loud > soft).all()
    # Far above the threshold of 1 / 10000, a factor of 10 is 2 decades of power.
    strong = soft > 2
    np.testing.assert_allclose((loud - soft)[strong], 2, atol=0.01)


def test_levels_and_magnitudes_are_inverse_to_each_other():
    scale = LogPower(10000.0)
    power = tf.constant([[[0.0, 1e-6, 1e-3, 1.0, 1e3]]])
    magnitude = scale.level_to_magnitude(scale.power_to_level(power))
    np.testing.assert_allclose(magnitude**2, power, rtol=1e-3, atol=2e-10)
    assert not scale.channel_to_magnitude(tf.zeros([1, 2, 3]), tf.zeros([1, 1, 1])).numpy().any()


def test_an_inverted_image_has_nearly_the_same_image(waveform):
    frontend = build(float16=True)
    image, metadata = frontend.analyze(tf.constant(waveform))
    inverted = frontend.invert(image, metadata, SAMPLES, PhaseConfig(iterations=8))
    difference = tf.abs(frontend(inverted) - image)
    # Tones are spread over their bands: a tenth of a decade of power is 1 dB.
    assert float(tf.reduce_mean(difference)) < 0.3
