import math

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import PhaseConfig, StftSpec
from tfdream.errors import ConfigError
from tfdream.signal.phase import energy_db, griffin_lim, magnitude_to_waveform, spectral_error
from tfdream.signal.stft import stft_to_phase, stft_to_power, waveform_to_stft

SPEC = StftSpec(n_fft=256, hop_samples=64)
SAMPLES = 3001
each_start = pytest.mark.parametrize("start", ["original", "pghi", "random"])


def sound(seed=0, batch=1):
    """Noise and two gliding tones."""
    seconds = np.arange(SAMPLES) / 8000
    tones = np.sin(2 * np.pi * (300 + 900 * seconds) * seconds) + np.sin(4000 * seconds)
    rng = np.random.default_rng(seed)
    waveforms = 0.2 * tones + rng.normal(0, 0.05, (batch, SAMPLES))
    return tf.constant(waveforms, tf.float32)


def magnitude_and_phase(waveform):
    stft = waveform_to_stft(waveform, SPEC)
    return tf.sqrt(stft_to_power(stft)), stft_to_phase(stft)


def error_db(waveform, magnitude):
    errors, wanted = spectral_error(waveform, magnitude, SPEC)
    return energy_db(float(errors[0]), float(wanted[0]))


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_the_true_phase_is_kept(momentum):
    waveform = sound()
    magnitude, phase = magnitude_and_phase(waveform)
    found = griffin_lim(magnitude, SPEC, SAMPLES, 8, momentum, phase)
    np.testing.assert_allclose(found, waveform, atol=1e-4)  # float32 over 8 transforms


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_a_cold_start_comes_nearer_with_iterations(momentum):
    magnitude, _ = magnitude_and_phase(sound())
    errors = [
        error_db(griffin_lim(magnitude, SPEC, SAMPLES, steps, momentum), magnitude)
        for steps in (1, 5, 40)
    ]
    assert errors[1] < errors[0] - 0.5  # dB, clearly
    assert errors[2] < errors[1] - 0.5
    assert errors[2] < -12  # a sixteenth of the energy, from a random phase


def test_momentum_comes_nearer_in_the_same_iterations():
    magnitude, _ = magnitude_and_phase(sound())
    plain, fast = (
        error_db(griffin_lim(magnitude, SPEC, SAMPLES, 40, momentum), magnitude)
        for momentum in (0.0, 0.99)
    )
    assert fast < plain - 1  # dB; the published gain is of this order


def test_a_start_near_the_true_phase_beats_a_cold_one():
    magnitude, phase = magnitude_and_phase(sound())
    disturbance = np.random.default_rng(0).normal(0, 0.5, phase.shape).astype(np.float32)
    warm = griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99, phase + disturbance)
    cold = griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99)
    assert error_db(warm, magnitude) < error_db(cold, magnitude) - 3  # dB


def test_phase_counts_by_its_sine_and_cosine():
    magnitude, phase = magnitude_and_phase(sound())
    turned = phase + 2 * math.pi * np.random.default_rng(0).integers(-1, 2, phase.shape)
    found = griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99, phase)
    again = griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99, tf.cast(turned, tf.float32))
    np.testing.assert_allclose(found, again, atol=1e-4)  # float32 sines of up to 3π


def test_the_seed_decides():
    magnitude, _ = magnitude_and_phase(sound())
    first, again, other = (
        griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99, seed=seed).numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_clips_of_a_batch_do_not_mix():
    waveforms = sound(batch=3)
    magnitude, phase = magnitude_and_phase(waveforms)
    start = tf.roll(phase, 1, axis=1)  # not the true one, so that something is to be done
    together = griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99, start)
    for clip in range(3):
        one = slice(clip, clip + 1)
        alone = griffin_lim(magnitude[one], SPEC, SAMPLES, 5, 0.99, start[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-4)  # float32, 5 times


def test_silence_stays_silence():
    magnitude = tf.zeros([1, SPEC.frames(SAMPLES), SPEC.bins])
    np.testing.assert_array_equal(griffin_lim(magnitude, SPEC, SAMPLES, 5, 0.99), 0)


# From a magnitude to sound


@each_start
def test_without_iterations_the_start_is_the_phase(start):
    waveform = sound()
    magnitude, phase = magnitude_and_phase(waveform)
    config = PhaseConfig(init=start, iterations=0)
    found = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
    assert found.shape == waveform.shape
    is_the_original = np.allclose(found, waveform, atol=1e-4)  # float32
    assert is_the_original == (start == "original")


@each_start
def test_iterations_mend_the_start(start):
    magnitude, phase = magnitude_and_phase(sound())
    disturbed = phase + np.random.default_rng(0).normal(0, 0.5, phase.shape).astype(np.float32)
    errors = [
        error_db(
            magnitude_to_waveform(
                magnitude, SPEC, SAMPLES, PhaseConfig(init=start, iterations=count), disturbed
            ),
            magnitude,
        )
        for count in (0, 20)
    ]
    assert errors[1] < errors[0] - 3  # dB


@pytest.mark.parametrize("iterations", [0, 5])
def test_an_integrated_start_beats_a_random_one(iterations):
    magnitude, _ = magnitude_and_phase(sound())
    integrated, random = (
        magnitude_to_waveform(
            magnitude, SPEC, SAMPLES, PhaseConfig(init=start, iterations=iterations)
        )
        for start in ("pghi", "random")
    )
    assert error_db(integrated, magnitude) < error_db(random, magnitude) - 3  # dB


@each_start
@pytest.mark.parametrize("iterations", [0, 2])
def test_a_graph_of_unknown_batches_renders_the_same(start, iterations):
    config = PhaseConfig(init=start, iterations=iterations)
    unknown = tf.TensorSpec([None, SPEC.frames(SAMPLES), SPEC.bins])

    @tf.function(input_signature=[unknown, unknown])
    def render(magnitude, phase):
        waveform = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
        assert waveform.shape.as_list() == [None, SAMPLES]
        return waveform

    for batch in (1, 3):
        magnitude, phase = magnitude_and_phase(sound(batch=batch))
        found = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
        np.testing.assert_allclose(render(magnitude, phase), found, atol=1e-4)  # float32


@pytest.mark.parametrize("start", ["original", "pghi"])
def test_clips_are_rendered_each_for_itself(start):
    magnitude, phase = magnitude_and_phase(sound(batch=3))
    config = PhaseConfig(init=start, iterations=3)
    together = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
    for clip in range(3):
        one = slice(clip, clip + 1)
        alone = magnitude_to_waveform(magnitude[one], SPEC, SAMPLES, config, phase[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-4)  # float32


@each_start
@pytest.mark.parametrize("iterations", [0, 3])
def test_a_silent_magnitude_is_silence(start, iterations):
    magnitude = tf.zeros([1, SPEC.frames(SAMPLES), SPEC.bins])
    config = PhaseConfig(init=start, iterations=iterations)
    found = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, magnitude)
    np.testing.assert_array_equal(found, 0)


@each_start
def test_the_gradient_reaches_the_magnitude(start):
    magnitude, phase = magnitude_and_phase(sound())
    config = PhaseConfig(init=start, iterations=0)
    with tf.GradientTape() as tape:
        tape.watch(magnitude)
        waveform = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
        energy = tf.reduce_sum(waveform**2)
    gradient = tape.gradient(energy, magnitude).numpy()
    assert np.isfinite(gradient).all()
    assert gradient.any()


def test_a_random_start_is_the_seeds():
    magnitude, _ = magnitude_and_phase(sound())
    config = PhaseConfig(init="random", iterations=2)
    first, again, other = (
        magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, seed=seed).numpy()
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_the_phase_of_no_original_is_an_error():
    magnitude, _ = magnitude_and_phase(sound())
    with pytest.raises(ConfigError, match="use start=pghi or random"):
        magnitude_to_waveform(magnitude, SPEC, SAMPLES, PhaseConfig(init="original"))


# Errors of a spectrum


def test_the_error_is_measured_for_each_clip():
    waveforms = sound(batch=2)
    magnitude, _ = magnitude_and_phase(waveforms)
    errors, wanted = spectral_error(waveforms * [[1.0], [0.5]], magnitude, SPEC)
    energies = tf.reduce_sum(magnitude**2, axis=[1, 2])
    np.testing.assert_allclose(wanted, energies, rtol=1e-6)  # float32
    np.testing.assert_allclose(errors, energies * [0, 0.25], rtol=1e-4, atol=1e-6 * energies[0])


@pytest.mark.parametrize(
    ("error", "wanted", "expected_db"),
    [
        (1.0, 1.0, 0.0),
        (0.1, 1.0, -10.0),
        (5.0, 50.0, -10.0),
        (0.0, 1.0, -200.0),
        (0.0, 0.0, -200.0),
    ],
)
def test_convergence_is_a_ratio_of_energies_in_db(error, wanted, expected_db):
    assert energy_db(error, wanted) == pytest.approx(expected_db)
