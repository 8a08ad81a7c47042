import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    StftSpec,
)
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.mel import MelBands
from tfdream.signal.stft import stft_to_power, waveform_to_stft

RATE = 16000
SPEC = StftSpec(n_fft=1024, hop_samples=256)


def config(**settings):
    return MelFrontendConfig(kind="mel", stft=SPEC, **settings)


def tone(frequency_hz, seconds=0.5):
    samples = np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE)) / RATE)
    return tf.constant(samples[np.newaxis], tf.float32)


@pytest.mark.parametrize("frequency_hz", [300, 1000, 4000])
def test_a_tone_is_brightest_in_the_band_around_it(frequency_hz):
    from librosa import mel_frequencies

    image = frontends.build(config(bands=40), RATE)(tone(frequency_hz))
    assert image.shape == (1, 40, SPEC.frames(RATE // 2), 1)
    brightest = int(tf.argmax(image[0, :, 10, 0]))
    centers_hz = mel_frequencies(42, fmin=0, fmax=RATE / 2)[1:-1]
    assert brightest == np.abs(centers_hz - frequency_hz).argmin()


def test_white_power_is_equal_in_bands_and_bins():
    bands = MelBands(config(bands=40), RATE).from_bins(tf.ones([1, 1, SPEC.bins]))
    np.testing.assert_allclose(bands, 1, rtol=1e-5)  # float32


@pytest.mark.parametrize("limits", [{}, {"min_hz": 500, "max_hz": 2000}])
def test_a_constant_over_bands_is_a_constant_over_bins(limits):
    """This includes bins outside of all bands."""
    bands = MelBands(config(bands=20, **limits), RATE)
    interpolated = bands.interpolate_to_bins(tf.constant([[[3.0] * 20], [[-1.0] * 20]]))
    assert interpolated.shape == (2, 1, SPEC.bins)
    np.testing.assert_allclose(interpolated[0], 3, rtol=1e-5)  # float32
    np.testing.assert_allclose(interpolated[1], -1, rtol=1e-5)


def test_values_of_bands_are_interpolated_linearly():
    """Interpolation is linear in Hz between the centers of the bands."""
    from librosa import fft_frequencies, mel_frequencies

    bands = MelBands(config(bands=24), RATE)
    values = np.random.default_rng(0).normal(0, 10, 24)
    centers_hz = mel_frequencies(26, fmin=0, fmax=RATE / 2)[1:-1]
    expected = np.interp(fft_frequencies(sr=RATE, n_fft=SPEC.n_fft), centers_hz, values)
    of_bands = tf.constant(values[np.newaxis, np.newaxis], tf.float32)
    interpolated = bands.interpolate_to_bins(of_bands)
    np.testing.assert_allclose(interpolated[0, 0], expected, atol=1e-3)


def test_one_band_is_interpolated_to_the_bins_around_it_alone():
    bands = MelBands(config(bands=24), RATE)
    interpolated = bands.interpolate_to_bins(tf.one_hot([[12]], 24)).numpy()[0, 0]
    power = np.zeros((1, 1, SPEC.bins), np.float32)
    for place in np.flatnonzero(interpolated):
        power[0, 0, place] = 1
        assert bands.from_bins(tf.constant(power)).numpy()[0, 0, 12] > 0
        power[0, 0, place] = 0
    assert 0 < interpolated.max() <= 1


def test_limits_exclude_other_frequencies():
    limited = frontends.build(config(bands=20, min_hz=500, max_hz=2000), RATE)
    inside, outside = (
        float(tf.reduce_max(limited.bands.from_bins(power(hz)))) for hz in (1000, 6000)
    )
    assert outside < 1e-4 * inside  # side lobes of the window


def power(frequency_hz):
    return stft_to_power(waveform_to_stft(tone(frequency_hz), SPEC))


def test_bins_computed_from_bands_have_these_bands():
    rng = np.random.default_rng(0)
    bands = MelBands(config(bands=32), RATE)
    expected = bands.from_bins(tf.constant(rng.exponential(1, (2, 3, SPEC.bins)), tf.float32))
    bins = bands.to_bins(expected)
    assert float(tf.reduce_min(bins)) >= 0
    # Residual of 64 multiplicative updates between overlapping bands.
    np.testing.assert_allclose(bands.from_bins(bins), expected, rtol=0.05)


def test_bins_computed_from_bands_are_proportional_to_them():
    power = tf.constant(np.random.default_rng(0).uniform(1e-6, 1, (2, 3, 32)), tf.float32)
    power *= tf.constant([1.0, 1e-4])[:, tf.newaxis, tf.newaxis]  # the second clip is soft
    bands = MelBands(config(bands=32), RATE)
    bins = bands.to_bins(power).numpy()
    np.testing.assert_allclose(bands.to_bins(1e-12 * power), 1e-12 * bins, rtol=1e-3, atol=1e-17)
    np.testing.assert_allclose(bands.to_bins(power[1:])[0], bins[1], rtol=1e-5)


def test_silent_bands_give_silent_bins():
    bands = MelBands(config(bands=32), RATE)
    assert not bands.to_bins(tf.zeros([1, 2, 32])).numpy().any()


def test_inverting_a_mel_image_gives_a_waveform_with_the_same_image():
    rng = np.random.default_rng(0)
    frontend = frontends.build(config(bands=40), RATE)
    waveform = tone(440) + tf.constant(0.01 * rng.standard_normal((1, RATE // 2)), tf.float32)
    image, metadata = frontend.analyze(waveform)
    inverted = frontend(frontend.invert(image, metadata, RATE // 2))
    # A tone is spread over its band, so that only the level of the band is preserved: 3 of 80 dB.
    assert float(tf.reduce_mean(tf.abs(inverted - image))) < 3 / 80


def test_the_gradient_reaches_the_samples():
    waveform = tone(440)
    frontend = frontends.build(config(bands=40), RATE)
    with tf.GradientTape() as tape:
        tape.watch(waveform)
        brightness = tf.reduce_sum(frontend(waveform))
    gradient = tape.gradient(brightness, waveform).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_bands_without_a_bin_are_an_error():
    with pytest.raises(ConfigError, match=r"of bands=400 contain no bin of stft.n_fft=1024"):
        frontends.build(config(bands=400), RATE)


def test_a_limit_above_half_the_rate_is_an_error():
    with pytest.raises(ConfigError, match=r"max_hz=9000 is above 8000 Hz"):
        frontends.build(config(max_hz=9000), RATE)


def test_limits_that_leave_no_band_are_errors():
    for limits in ({"min_hz": 4000, "max_hz": 4000}, {"min_hz": 5000, "max_hz": 4000}):
        with pytest.raises(ValueError, match=r"min_hz=\d000 is not below max_hz=4000; lower"):
            config(**limits)
    for min_hz in (RATE / 2, RATE):
        with pytest.raises(ConfigError, match=r"min_hz=.* is not below 8000 Hz, half the sample"):
            MelBands(config(min_hz=min_hz), RATE)
