import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.signal.constant_q import REFERENCE_STFT, ConstantQ
from tfdream.signal.frontends.constant_q import ConstantQFrontendConfig
from tfdream.signal.stft import power_to_dbfs

RATE = 22050
SAMPLES = 2 * RATE
MIDDLE = slice(30, -30)  # frames whose windows do not reach beyond the signal, down to 32.7 Hz


def config(**options):
    return ConstantQFrontendConfig(kind="constant_q", **options)


def frequencies_hz(spec):
    return spec.min_hz * 2 ** (np.arange(spec.bands) / spec.bands_per_octave)


def tones(*pitches_hz, amplitude=1.0, samples=SAMPLES):
    seconds = np.arange(samples) / RATE
    return amplitude * np.sin(2 * np.pi * np.array(pitches_hz)[:, None] * seconds + 1).sum(axis=0)


def noise(samples=SAMPLES):
    return np.random.default_rng(0).normal(0, 0.1, samples)


CHORD = tones(65.4, 130.8, 196, 329.6, 1046.5, 3520, amplitude=0.15)
each_signal = pytest.mark.parametrize("signal", [CHORD, noise()], ids=["chord", "noise"])


def levels(waveform, rate=RATE, **options):
    """Return dB `[frames, bands]` of one waveform."""
    power = ConstantQ(config(**options), rate).waveform_to_power(
        tf.constant(waveform[np.newaxis], tf.float32)
    )
    return power_to_dbfs(power, REFERENCE_STFT)[0].numpy()


def levels_by_definition(waveform, spec):
    """Return Brown's sum over each band's window, at the full rate and in float64."""
    columns = []
    for frequency_hz in frequencies_hz(spec):
        length = spec.quality * RATE / frequency_hz
        half = int(length / 2)
        times = np.arange(-half, half + 1)
        window = 0.5 + 0.5 * np.cos(2 * np.pi * times / length)
        kernel = 2 * window / window.sum() * np.exp(-2j * np.pi * times * frequency_hz / RATE)
        padded = np.pad(waveform, half + 1, mode="reflect")[1:]
        starts = range(0, len(waveform) + 1, spec.hop_samples)
        columns.append([abs(padded[first : first + len(times)] @ kernel) for first in starts])
    return 20 * np.log10(np.array(columns).T)


# Physics


@settings(max_examples=4, deadline=None, derandomize=True)
@given(bands_per_octave=st.sampled_from([12, 24]), share=st.floats(0, 1))
@example(bands_per_octave=12, share=0.0)
@example(bands_per_octave=24, share=1.0)
def test_a_full_scale_tone_has_0_db_in_its_band_and_is_soft_outside_the_main_lobe(
    bands_per_octave, share
):
    spec = config(bands_per_octave=bands_per_octave)
    centers = frequencies_hz(spec)
    band = round(share * (spec.bands - 1))
    level = levels(tones(centers[band]), bands_per_octave=bands_per_octave)[MIDDLE]
    assert (level.argmax(axis=1) == band).all()
    np.testing.assert_allclose(level[:, band], 0, atol=0.01)  # a window's fraction of a sample
    beyond = np.abs(centers - centers[band]) > 2 * centers / spec.quality
    assert beyond.any()
    assert level[:, beyond].max() < -31  # a Hann window's highest side lobe


def test_bands_are_a_semitone_apart():
    pitches_hz = 220 * 2 ** (np.arange(13) / 12)
    waveforms = tf.constant([tones(hz) for hz in pitches_hz], tf.float32)
    power = ConstantQ(config(min_hz=55, octaves=7), RATE).waveform_to_power(waveforms)
    bands = power[:, 30].numpy().argmax(axis=1)
    np.testing.assert_array_equal(bands, 24 + np.arange(13))


def test_high_bands_are_precise_in_time():
    click = np.zeros(SAMPLES)
    click[40 * config().hop_samples] = 1
    power = 10 ** (levels(click) / 10)
    active_frames = (power > 1e-3 * power.max(axis=0)).sum(axis=0)
    assert active_frames[-1] == 1  # 2 ms of window, and a frame every 23 ms
    assert active_frames[0] > 10  # 0.5 s of window


@each_signal
@pytest.mark.parametrize("hop_samples", [512, 441])
def test_reduced_rates_give_the_transform_of_the_full_rate(signal, hop_samples):
    spec = config(hop_samples=hop_samples)
    expected = levels_by_definition(signal, spec)
    measured = levels(signal, hop_samples=hop_samples)
    assert measured.shape == expected.shape
    loud = expected > expected.max() - 60
    # Aliased frequencies are attenuated by 85 dB, to 25 dB below the softest compared level. Added
    # up they could change it by 0.5 dB; for these signals it is 0.03 dB.
    np.testing.assert_allclose(measured[loud], expected[loud], atol=0.1)


@each_signal
def test_levels_agree_with_librosa(signal):
    from librosa import cqt

    spec = config(octaves=7)
    ratio = 2 ** (2 / spec.bands_per_octave)
    # librosa measures Q between both neighbors, and scales by the window's length in samples.
    shorter = spec.quality * (ratio - 1) / (ratio + 1)
    reference = cqt(
        signal,
        sr=RATE,
        hop_length=spec.hop_samples,
        fmin=spec.min_hz,
        n_bins=spec.bands,
        tuning=0,
        filter_scale=shorter,
        scale=False,
        pad_mode="reflect",
        sparsity=0,
    )
    lengths = spec.quality * RATE / frequencies_hz(spec)
    expected = 20 * np.log10(2 * np.abs(reference.T) / lengths + 1e-10)[MIDDLE]
    loud = expected > expected.max() - 40
    # librosa rounds windows to whole samples and halves the rate by another filter: up to 1 dB in
    # bands between tones, and more where tones or noise cancel.
    error = np.abs(levels(signal, octaves=7)[MIDDLE] - expected)[loud]
    assert np.median(error) < 0.2
    assert np.quantile(error, 0.9) < 1


# Contracts


@pytest.mark.parametrize("options", [{}, {"hop_samples": 441}, {"size": (64, 100)}], ids=str)
def test_the_shape_equals_the_predicted_shape(options):
    frontend = frontends.build(config(**options), RATE)
    for samples in (6000, 11025, 22528, 44101):
        image = frontend(tf.constant(noise(samples)[np.newaxis], tf.float32))
        assert image.shape == (1, *frontend.shape(samples))


def test_a_graph_of_dynamic_length_gives_the_same():
    transform = ConstantQ(config(), RATE)
    signature = [tf.TensorSpec([None, None], tf.float32)]
    waveform = tf.constant(noise(22051)[np.newaxis], tf.float32)
    dynamic = tf.function(transform.waveform_to_power, input_signature=signature)(waveform)
    expected = transform.waveform_to_power(waveform)
    np.testing.assert_allclose(dynamic, expected, atol=1e-5 * expected.numpy().max())  # float32


def test_clips_of_a_batch_are_independent():
    transform = ConstantQ(config(), RATE)
    waveforms = tf.constant(np.stack([CHORD, noise(), 0 * CHORD]), tf.float32)
    together = transform.waveform_to_power(waveforms).numpy()
    for clip in range(3):
        alone = transform.waveform_to_power(waveforms[clip : clip + 1])[0].numpy()
        np.testing.assert_allclose(together[clip], alone, atol=2e-6 * alone.max())  # float32


def test_the_loudest_band_is_white_and_frequency_ascends():
    image = frontends.build(config(), RATE)(
        tf.constant((tones(130.8) + tones(2093, amplitude=0.01))[np.newaxis], tf.float32)
    )[0, :, 40, 0].numpy()
    assert image.argmax() == 24
    assert image[24] == pytest.approx(1, abs=0.01)  # the reflected ends may be louder
    assert image[72] == pytest.approx(image[24] - 40 / 80, abs=1e-3)


@pytest.mark.parametrize("sounding", [0, 8000, SAMPLES])
def test_the_gradient_is_finite_for_silence_and_not_zero_otherwise(sounding):
    frontend = frontends.build(config(), RATE)
    waveform = tf.Variable((CHORD * (np.arange(SAMPLES) < sounding))[np.newaxis], dtype=tf.float32)
    with tf.GradientTape() as tape:
        brightness = tf.reduce_sum(frontend(waveform) ** 2)
    gradient = tape.gradient(brightness, waveform).numpy()
    assert np.isfinite(gradient).all()
    assert gradient.any() == (sounding > 0)


def test_the_gradient_equals_a_finite_difference():
    """Power is quadratic in the waveform, so that the central difference is exact."""
    transform = ConstantQ(config(), RATE)
    waveform, change = (
        tf.constant(each[np.newaxis], tf.float32) for each in (CHORD, noise(SAMPLES))
    )
    with tf.GradientTape() as tape:
        tape.watch(waveform)
        total = tf.reduce_sum(transform.waveform_to_power(waveform))
    slope = float(tf.reduce_sum(tape.gradient(total, waveform) * change))
    higher, lower = (
        float(tf.reduce_sum(transform.waveform_to_power(waveform + sign * change)))
        for sign in (1, -1)
    )
    assert slope == pytest.approx((higher - lower) / 2, rel=1e-3)  # float32


# Errors


def test_bands_above_half_the_rate_are_an_error_that_names_possible_octaves():
    with pytest.raises(ConfigError, match=r"8372.* Hz, above 4000 Hz.*use octaves=6 "):
        ConstantQ(config(), 8000)
    ConstantQ(config(octaves=6), 8000)
    with pytest.raises(ConfigError, match=r"min_hz=5000 .*use a lower min_hz"):
        ConstantQ(config(min_hz=5000, octaves=1), 8000)


def test_a_clip_shorter_than_half_the_lowest_window_is_an_error():
    transform = ConstantQ(config(), RATE)
    with pytest.raises(ConfigError, match=r"4000 samples is too short for min_hz=32.7"):
        transform.waveform_to_power(tf.zeros([1, 4000]))
    least = transform.padding + transform.step
    assert np.isfinite(transform.waveform_to_power(tf.zeros([1, least]))).all()
