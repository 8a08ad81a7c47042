import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.stft import (
    db_to_magnitude,
    power_to_db,
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


def noise(samples, batch=2, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, samples)).astype(np.float32)


def cosine(samples, cycles_per_sample, phase=0.0, amplitude=1.0):
    angle = 2 * np.pi * cycles_per_sample * np.arange(samples) + phase
    return (amplitude * np.cos(angle)).astype(np.float32)[None]


def levels(waveform, spec):
    return power_to_db(stft_to_power(waveform_to_stft(waveform, spec)), spec).numpy()


def inside(frames, spec):
    """The frames that reflection at the ends does not reach."""
    reached = -(-spec.n_fft // 2 // spec.hop_samples)
    return slice(reached, frames - reached - 1)


@each_spec
@pytest.mark.parametrize("share", [0.25, 0.4, 0.8])
def test_a_tone_lands_in_its_bin_with_0_db(spec, share):
    tone_bin = round(share * spec.n_fft / 2)
    level_db = levels(cosine(5 * spec.n_fft, tone_bin / spec.n_fft, phase=0.3), spec)[0]
    level_db = level_db[inside(len(level_db), spec)]
    assert (level_db.argmax(axis=1) == tone_bin).all()
    np.testing.assert_allclose(level_db[:, tone_bin], 0, atol=1e-3)  # float32: 1 part in 10⁶
    beside = level_db[:, [tone_bin - 1, tone_bin + 1]]
    np.testing.assert_allclose(beside, 20 * np.log10(0.5), atol=1e-2)  # the Hann window's own
    elsewhere = np.delete(level_db, range(tone_bin - 1, tone_bin + 2), axis=1)
    assert elsewhere.max() < -90  # what float32 leaves of nothing


@pytest.mark.parametrize("level_db", [-60.0, -20.0, 0.0, 6.0])
def test_level_follows_amplitude(level_db):
    tone = cosine(2000, 32 / 256, amplitude=10 ** (level_db / 20))
    assert levels(tone, SPEC)[0, 12, 32] == pytest.approx(level_db, abs=1e-3)


@pytest.mark.parametrize("tone_bin", [5, 32, 100])
@pytest.mark.parametrize("phase", [0.0, 1.0, -2.5])
def test_a_frame_starts_half_a_window_before_its_centre(tone_bin, phase):
    stft = waveform_to_stft(cosine(2048, tone_bin / 256, phase), SPEC)
    frames = np.arange(SPEC.frames(2048))
    starts = frames * 64 - 128
    expected = phase + 2 * np.pi * tone_bin * starts / 256
    found = stft_to_phase(stft).numpy()[0, :, tone_bin]
    within = inside(len(frames), SPEC)
    np.testing.assert_allclose(np.cos(found)[within], np.cos(expected)[within], atol=1e-4)
    np.testing.assert_allclose(np.sin(found)[within], np.sin(expected)[within], atol=1e-4)


@pytest.mark.parametrize("frame", [0, 1, 7, 15])
def test_a_click_is_loudest_in_the_frame_centered_on_it(frame):
    click = np.zeros((1, 1000), np.float32)
    click[0, 64 * frame] = 1
    power = stft_to_power(waveform_to_stft(click, SPEC)).numpy()[0].sum(axis=1)
    assert power.argmax() == frame


@each_spec
@pytest.mark.parametrize("extra", [0, 1, 63, 99])
def test_bins_and_frames_are_those_of_the_spec(spec, extra):
    samples = 3 * spec.n_fft + extra
    assert waveform_to_stft(noise(samples), spec).shape == (2, spec.frames(samples), spec.bins)


@each_spec
@pytest.mark.parametrize("extra", [0, 1, 2, 31, 62, 63, 98, 99])
def test_the_inverse_gives_the_waveform_back(spec, extra):
    samples = 3 * spec.n_fft + extra
    waveform = noise(samples)
    again = stft_to_waveform(waveform_to_stft(waveform, spec), spec, samples)
    assert again.shape == waveform.shape
    np.testing.assert_allclose(again, waveform, atol=1e-5)  # float32, to the very edges


@pytest.mark.parametrize("spec", [SPEC, StftSpec(n_fft=1260, hop_samples=175)])
def test_the_shortest_waveform_comes_back(spec):
    waveform = noise(spec.n_fft // 2 + 1)
    again = stft_to_waveform(waveform_to_stft(waveform, spec), spec, waveform.shape[1])
    np.testing.assert_allclose(again, waveform, atol=1e-5)


def test_at_the_longest_hop_only_the_very_end_fades():
    spec = StftSpec(n_fft=2048, hop_samples=1024)
    waveform = noise(5 * 1024 + 1023)
    again = stft_to_waveform(waveform_to_stft(waveform, spec), spec, waveform.shape[1]).numpy()
    # The last window reaches the last 65 samples with less than a hundredth of its height.
    np.testing.assert_allclose(again[:, :-66], waveform[:, :-66], atol=1e-4)
    assert (np.abs(again) <= np.abs(waveform) + 1e-3).all()


@pytest.mark.parametrize("samples", [900, 1100])
def test_the_inverse_has_the_length_that_is_asked_for(samples):
    waveform = noise(1000)
    again = stft_to_waveform(waveform_to_stft(waveform, SPEC), SPEC, samples).numpy()
    assert again.shape == (2, samples)
    known = min(samples, 1000)
    np.testing.assert_allclose(again[:, :known], waveform[:, :known], atol=1e-5)  # float32


@pytest.mark.parametrize("spec", SPECS[1:4], ids=lambda s: f"{s.n_fft}-{s.hop_samples}")
def test_the_round_trip_has_the_gradient_of_the_identity(spec):
    weights = noise(3 * spec.n_fft + 1, seed=1)
    waveform = tf.Variable(noise(3 * spec.n_fft + 1))
    with tf.GradientTape() as tape:
        again = stft_to_waveform(waveform_to_stft(waveform, spec), spec, waveform.shape[1])
        total = tf.reduce_sum(weights * again)
    np.testing.assert_allclose(tape.gradient(total, waveform), weights, atol=1e-5)  # float32


def test_an_stft_is_linear_and_its_clips_do_not_mix():
    waveform = noise(1000, batch=3)
    together = waveform_to_stft(waveform, SPEC).numpy()
    one_by_one = np.concatenate([waveform_to_stft(clip[None], SPEC) for clip in waveform])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)  # float32, sums of 256
    total = waveform_to_stft(waveform[:1] - 2 * waveform[1:2], SPEC).numpy()
    np.testing.assert_allclose(total, together[:1] - 2 * together[1:2], atol=1e-4)  # the same


def test_a_graph_of_unknown_length_gives_the_same():
    unknown = tf.function(
        lambda waveform: waveform_to_stft(waveform, SPEC),
        input_signature=[tf.TensorSpec([None, None], tf.float32)],
    )
    waveform = noise(777)
    np.testing.assert_allclose(unknown(waveform), waveform_to_stft(waveform, SPEC), atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 128])
def test_too_few_samples_are_an_error(samples):
    with pytest.raises(ConfigError, match=f"{samples} samples.*n_fft=256.*more than 128"):
        waveform_to_stft(noise(samples), SPEC)


def test_decibels_come_back_as_magnitude():
    magnitude = np.abs(noise(100)) + 1e-3
    level_db = power_to_db(tf.constant(magnitude**2), SPEC)
    np.testing.assert_allclose(db_to_magnitude(level_db, SPEC), magnitude, rtol=1e-4)  # exp of log


def test_magnitude_and_phase_are_the_stft():
    stft = waveform_to_stft(noise(1000), SPEC)
    again = to_complex(tf.sqrt(stft_to_power(stft)), stft_to_phase(stft))
    np.testing.assert_allclose(again, stft, atol=1e-4)  # float32, magnitudes of about 10


def test_phase_is_between_minus_pi_and_pi():
    phase = stft_to_phase(waveform_to_stft(noise(5000), SPEC)).numpy()
    assert np.pi - 0.01 < np.abs(phase).max() <= np.pi + 1e-6  # noise comes near to every angle


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (stft_to_power, 0.0),
        (stft_to_phase, 0.0),
        (lambda stft: power_to_db(stft_to_power(stft), SPEC), -200.0),
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
