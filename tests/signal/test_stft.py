import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfdream.config import StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.stft import (
    dbfs_to_magnitude,
    power_to_dbfs,
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)

SPEC = StftSpec(n_fft=256, hop_samples=64)
SPECS = [
    StftSpec(n_fft=2048, hop_samples=512),
    StftSpec(n_fft=1260, hop_samples=175),  # the published one: the hop does not divide n_fft
    StftSpec(n_fft=256, hop_samples=64),
    StftSpec(n_fft=256, hop_samples=100),
    StftSpec(n_fft=16, hop_samples=1),
]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.n_fft}-{s.hop_samples}")
specs = st.sampled_from(SPECS)
# Few examples: TensorFlow traces a function for each shape.
examples = settings(max_examples=25, deadline=None, derandomize=True)


def noise(samples, batch=2, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, samples)).astype(np.float32)


def cosine(samples, cycles_per_sample, phase=0.0, amplitude=1.0):
    angle = 2 * np.pi * cycles_per_sample * np.arange(samples) + phase
    return (amplitude * np.cos(angle)).astype(np.float32)[None]


def levels(waveform, spec):
    return power_to_dbfs(stft_to_power(waveform_to_stft(waveform, spec)), spec).numpy()


def inside(frames, spec):
    """Return the frames that do not contain reflected samples."""
    reached = -(-spec.n_fft // 2 // spec.hop_samples)
    return slice(reached, frames - reached - 1)


@examples
@given(spec=specs, share=st.floats(0.2, 0.85))
@example(spec=SPECS[-1], share=0.25)
def test_a_full_scale_tone_has_0_db_in_its_bin(spec, share):
    tone_bin = round(share * spec.n_fft / 2)
    level_db = levels(cosine(5 * spec.n_fft, tone_bin / spec.n_fft, phase=0.3), spec)[0]
    level_db = level_db[inside(len(level_db), spec)]
    assert (level_db.argmax(axis=1) == tone_bin).all()
    np.testing.assert_allclose(level_db[:, tone_bin], 0, atol=1e-3)  # float32: 1 part in 10⁶
    beside = level_db[:, [tone_bin - 1, tone_bin + 1]]
    np.testing.assert_allclose(beside, 20 * np.log10(0.5), atol=1e-2)  # the Hann window's main lobe
    elsewhere = np.delete(level_db, range(tone_bin - 1, tone_bin + 2), axis=1)
    assert elsewhere.max() < -90  # rounding of float32


def test_level_follows_amplitude():
    for level_db in (-60.0, -20.0, 0.0, 6.0):
        tone = cosine(2000, 32 / 256, amplitude=10 ** (level_db / 20))
        assert levels(tone, SPEC)[0, 12, 32] == pytest.approx(level_db, abs=1e-3)


@examples
@given(tone_bin=st.integers(5, 100), phase=st.floats(-np.pi, np.pi))
def test_a_frame_starts_half_a_window_before_its_center(tone_bin, phase):
    stft = waveform_to_stft(cosine(2048, tone_bin / 256, phase), SPEC)
    frames = np.arange(SPEC.frames(2048))
    starts = frames * 64 - 128
    expected = phase + 2 * np.pi * tone_bin * starts / 256
    measured = stft_to_phase(stft).numpy()[0, :, tone_bin]
    within = inside(len(frames), SPEC)
    np.testing.assert_allclose(np.cos(measured)[within], np.cos(expected)[within], atol=1e-4)
    np.testing.assert_allclose(np.sin(measured)[within], np.sin(expected)[within], atol=1e-4)


def test_an_impulse_is_loudest_in_the_frame_centered_on_it():
    for frame in (0, 1, 7, 15):
        impulse = np.zeros((1, 1000), np.float32)
        impulse[0, 64 * frame] = 1
        power = stft_to_power(waveform_to_stft(impulse, SPEC)).numpy()[0].sum(axis=1)
        assert power.argmax() == frame


@examples
@given(spec=specs, extra=st.integers(0, 99))
@example(spec=SPECS[1], extra=0)
@example(spec=SPECS[3], extra=99)
@example(spec=SPECS[2], extra=63)
def test_the_inverse_returns_the_waveform(spec, extra):
    samples = 3 * spec.n_fft + extra
    waveform = noise(samples)
    stft = waveform_to_stft(waveform, spec)
    assert stft.shape == (2, spec.frames(samples), spec.bins)
    inverse = stft_to_waveform(stft, spec, samples)
    assert inverse.shape == waveform.shape
    np.testing.assert_allclose(inverse, waveform, atol=1e-5)  # float32, up to the edges


@pytest.mark.parametrize("spec", [SPEC, StftSpec(n_fft=1260, hop_samples=175)])
def test_the_shortest_waveform_is_inverted(spec):
    waveform = noise(spec.n_fft // 2 + 1)
    inverse = stft_to_waveform(waveform_to_stft(waveform, spec), spec, waveform.shape[1])
    np.testing.assert_allclose(inverse, waveform, atol=1e-5)


def test_at_the_longest_hop_only_the_last_samples_fade():
    spec = StftSpec(n_fft=2048, hop_samples=1024)
    waveform = noise(5 * 1024 + 1023)
    inverse = stft_to_waveform(waveform_to_stft(waveform, spec), spec, waveform.shape[1]).numpy()
    # The last window weighs the last 65 samples by less than a hundredth of its maximum.
    np.testing.assert_allclose(inverse[:, :-66], waveform[:, :-66], atol=1e-4)
    assert (np.abs(inverse) <= np.abs(waveform) + 1e-3).all()


def test_the_inverse_has_the_requested_length():
    waveform = noise(1000)
    for samples in (900, 1100):
        inverse = stft_to_waveform(waveform_to_stft(waveform, SPEC), SPEC, samples).numpy()
        assert inverse.shape == (2, samples)
        common = min(samples, 1000)
        np.testing.assert_allclose(inverse[:, :common], waveform[:, :common], atol=1e-5)


@pytest.mark.parametrize("spec", SPECS[1:4], ids=lambda s: f"{s.n_fft}-{s.hop_samples}")
def test_the_round_trip_has_the_gradient_of_the_identity(spec):
    weights = noise(3 * spec.n_fft + 1, seed=1)
    waveform = tf.Variable(noise(3 * spec.n_fft + 1))
    with tf.GradientTape() as tape:
        inverse = stft_to_waveform(waveform_to_stft(waveform, spec), spec, waveform.shape[1])
        total = tf.reduce_sum(weights * inverse)
    np.testing.assert_allclose(tape.gradient(total, waveform), weights, atol=1e-5)  # float32


def test_an_stft_is_linear_and_its_clips_do_not_mix():
    waveform = noise(1000, batch=3)
    together = waveform_to_stft(waveform, SPEC).numpy()
    one_by_one = np.concatenate([waveform_to_stft(clip[None], SPEC) for clip in waveform])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)  # float32, sums of 256
    total = waveform_to_stft(waveform[:1] - 2 * waveform[1:2], SPEC).numpy()
    np.testing.assert_allclose(total, together[:1] - 2 * together[1:2], atol=1e-4)  # the same


@each_spec
def test_both_transforms_are_those_of_tensorflow(spec):
    """Bit for bit, where only their construction differs."""
    waveform = tf.constant(noise(3 * spec.n_fft + 5))
    stft = waveform_to_stft(waveform, spec)
    half = spec.n_fft // 2
    padded = tf.pad(waveform, [[0, 0], [half, half]], mode="REFLECT")
    window = tf.signal.hann_window(spec.n_fft)
    frames = tf.signal.frame(padded, spec.n_fft, spec.hop_samples) * window
    assert np.array_equal(stft, tf.signal.rfft(frames))
    total = tf.signal.overlap_and_add(tf.signal.irfft(stft) * window, spec.hop_samples)
    overlap = tf.signal.overlap_and_add(tf.ones(frames.shape[1:]) * window**2, spec.hop_samples)
    samples = 2 * spec.n_fft
    expected = (total / overlap)[:, half : half + samples]
    # The division is a multiplication by the inverse there.
    np.testing.assert_allclose(stft_to_waveform(stft, spec, samples), expected, atol=1e-6)


def test_a_graph_of_dynamic_length_gives_the_same():
    dynamic = tf.function(
        lambda waveform: waveform_to_stft(waveform, SPEC),
        input_signature=[tf.TensorSpec([None, None], tf.float32)],
    )
    waveform = noise(777)
    np.testing.assert_allclose(dynamic(waveform), waveform_to_stft(waveform, SPEC), atol=1e-5)


def test_too_few_samples_are_an_error():
    for samples in (0, 1, 128):
        with pytest.raises(ConfigError, match=f"{samples} samples.*n_fft=256.*more than 128"):
            waveform_to_stft(noise(samples), SPEC)


def test_decibels_convert_back_to_magnitude():
    magnitude = np.abs(noise(100)) + 1e-3
    level_db = power_to_dbfs(tf.constant(magnitude**2), SPEC)
    converted = dbfs_to_magnitude(level_db, SPEC)
    np.testing.assert_allclose(converted, magnitude, rtol=1e-4)  # exp of log


def test_magnitude_and_phase_are_the_stft():
    stft = waveform_to_stft(noise(1000), SPEC)
    inverse = to_complex(tf.sqrt(stft_to_power(stft)), stft_to_phase(stft))
    np.testing.assert_allclose(inverse, stft, atol=1e-4)  # float32, magnitudes of about 10


def test_phase_is_between_minus_pi_and_pi():
    phase = stft_to_phase(waveform_to_stft(noise(5000), SPEC)).numpy()
    assert np.pi - 0.01 < np.abs(phase).max() <= np.pi + 1e-6  # noise has all angles


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (stft_to_power, 0.0),
        (stft_to_phase, 0.0),
        (lambda stft: power_to_dbfs(stft_to_power(stft), SPEC), -200.0),
    ],
    ids=["power", "phase", "level"],
)
@pytest.mark.parametrize("sounding", [0, 300])
def test_silence_is_finite_and_so_is_its_gradient(measure, value, sounding):
    waveform = tf.Variable(noise(2000) * (np.arange(2000) < sounding))
    with tf.GradientTape() as tape:
        measured = measure(waveform_to_stft(waveform, SPEC))
        total = tf.reduce_sum(measured)
    np.testing.assert_allclose(measured[:, -10:], value, rtol=1e-6)  # float32
    assert np.isfinite(tape.gradient(total, waveform)).all()
