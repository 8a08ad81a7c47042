import math

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import PhaseConfig, StftSpec
from tfdream.errors import ConfigError
from tfdream.signal import phase as phases
from tfdream.signal.phase import (
    PhaseConstraint,
    energy_db,
    magnitude_to_waveform,
    random_phase,
    spectral_error,
)
from tfdream.signal.stft import stft_to_phase, stft_to_power, waveform_to_stft

SPEC = StftSpec(n_fft=256, hop_samples=64)
SAMPLES = 3001
each_init = pytest.mark.parametrize("start", ["original", "pghi", "random"])


def signal(seed=0, batch=1):
    """Return noise and two gliding tones."""
    seconds = np.arange(SAMPLES) / 8000
    tones = np.sin(2 * np.pi * (300 + 900 * seconds) * seconds) + np.sin(4000 * seconds)
    rng = np.random.default_rng(seed)
    waveforms = 0.2 * tones + rng.normal(0, 0.05, (batch, SAMPLES))
    return tf.constant(waveforms, tf.float32)


def magnitude_and_phase(waveform):
    stft = waveform_to_stft(waveform, SPEC)
    return tf.sqrt(stft_to_power(stft)), stft_to_phase(stft)


def griffin_lim(magnitude, iterations, momentum=0.99, phase=None):
    """Reconstruct with the numbers as tensors, so that one graph is built for all of them."""
    if phase is None:
        phase = random_phase(magnitude)
    iterations, momentum = tf.constant(iterations), tf.constant(momentum)
    return phases.griffin_lim(magnitude, SPEC, SAMPLES, iterations, momentum, phase)


def error_db(waveform, magnitude):
    errors, targets = spectral_error(waveform, magnitude, SPEC)
    return energy_db(float(errors[0]), float(targets[0]))


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_the_true_phase_is_a_fixed_point(momentum):
    waveform = signal()
    magnitude, phase = magnitude_and_phase(waveform)
    result = griffin_lim(magnitude, 8, momentum, phase)
    np.testing.assert_allclose(result, waveform, atol=1e-4)  # float32 over 8 transforms


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_iterations_reduce_the_error_from_a_random_phase(momentum):
    magnitude, _ = magnitude_and_phase(signal())
    errors = [error_db(griffin_lim(magnitude, steps, momentum), magnitude) for steps in (1, 5, 40)]
    assert errors[1] < errors[0] - 0.5  # dB, clearly
    assert errors[2] < errors[1] - 0.5
    assert errors[2] < -12  # a sixteenth of the energy, from a random phase


def test_momentum_reduces_the_error_in_the_same_iterations():
    magnitude, _ = magnitude_and_phase(signal())
    plain, fast = (
        error_db(griffin_lim(magnitude, 40, momentum), magnitude) for momentum in (0.0, 0.99)
    )
    assert fast < plain - 1  # dB; the published gain is of this order


def test_an_initial_phase_near_the_true_one_is_better_than_a_random_one():
    magnitude, phase = magnitude_and_phase(signal())
    disturbance = np.random.default_rng(0).normal(0, 0.5, phase.shape).astype(np.float32)
    near = griffin_lim(magnitude, 5, 0.99, phase + disturbance)
    random = griffin_lim(magnitude, 5, 0.99)
    assert error_db(near, magnitude) < error_db(random, magnitude) - 3  # dB


def test_multiples_of_a_turn_do_not_change_the_result():
    magnitude, phase = magnitude_and_phase(signal())
    turned = phase + 2 * math.pi * np.random.default_rng(0).integers(-1, 2, phase.shape)
    result = griffin_lim(magnitude, 5, 0.99, phase)
    again = griffin_lim(magnitude, 5, 0.99, tf.cast(turned, tf.float32))
    np.testing.assert_allclose(result, again, atol=1e-4)  # float32 sines of up to 3π


def test_the_result_depends_on_the_random_phase():
    magnitude, _ = magnitude_and_phase(signal())
    first, again, other = (
        griffin_lim(magnitude, 5, 0.99, random_phase(magnitude, seed)).numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_clips_of_a_batch_are_independent():
    waveforms = signal(batch=3)
    magnitude, phase = magnitude_and_phase(waveforms)
    start = tf.roll(phase, 1, axis=1)  # not the true phase
    together = griffin_lim(magnitude, 5, 0.99, start)
    for clip in range(3):
        one = slice(clip, clip + 1)
        alone = griffin_lim(magnitude[one], 5, 0.99, start[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-4)  # float32, 5 times


def test_silence_stays_silence():
    magnitude = tf.zeros([1, SPEC.frames(SAMPLES), SPEC.bins])
    np.testing.assert_array_equal(griffin_lim(magnitude, 5, 0.99), 0)


# From a magnitude to a waveform


@each_init
def test_without_iterations_the_initial_phase_is_used(start):
    waveform = signal()
    magnitude, phase = magnitude_and_phase(waveform)
    config = PhaseConfig(init=start, iterations=0)
    result = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
    assert result.shape == waveform.shape
    is_the_original = np.allclose(result, waveform, atol=1e-4)  # float32
    assert is_the_original == (start == "original")


@each_init
def test_iterations_improve_the_initial_phase(start):
    magnitude, phase = magnitude_and_phase(signal())
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
def test_an_integrated_phase_is_better_than_a_random_one(iterations):
    magnitude, _ = magnitude_and_phase(signal())
    integrated, random = (
        magnitude_to_waveform(
            magnitude, SPEC, SAMPLES, PhaseConfig(init=start, iterations=iterations)
        )
        for start in ("pghi", "random")
    )
    assert error_db(integrated, magnitude) < error_db(random, magnitude) - 3  # dB


@pytest.mark.parametrize(("start", "iterations"), [("original", 0), ("pghi", 2), ("random", 2)])
def test_a_graph_of_dynamic_batch_size_gives_the_same(start, iterations):
    config = PhaseConfig(init=start, iterations=iterations)
    dynamic = tf.TensorSpec([None, SPEC.frames(SAMPLES), SPEC.bins])

    @tf.function(input_signature=[dynamic, dynamic])
    def render(magnitude, phase):
        waveform = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
        assert waveform.shape.as_list() == [None, SAMPLES]
        return waveform

    for batch in (1, 3):
        magnitude, phase = magnitude_and_phase(signal(batch=batch))
        result = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
        np.testing.assert_allclose(render(magnitude, phase), result, atol=1e-4)  # float32


@pytest.mark.parametrize("start", ["original", "pghi"])
def test_clips_are_reconstructed_independently(start):
    magnitude, phase = magnitude_and_phase(signal(batch=3))
    config = PhaseConfig(init=start, iterations=3)
    together = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
    for clip in range(3):
        one = slice(clip, clip + 1)
        alone = magnitude_to_waveform(magnitude[one], SPEC, SAMPLES, config, phase[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-4)  # float32


@each_init
@pytest.mark.parametrize("iterations", [0, 3])
def test_a_silent_magnitude_gives_silence(start, iterations):
    magnitude = tf.zeros([1, SPEC.frames(SAMPLES), SPEC.bins])
    config = PhaseConfig(init=start, iterations=iterations)
    result = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, magnitude)
    np.testing.assert_array_equal(result, 0)


@each_init
def test_the_gradient_reaches_the_magnitude(start):
    magnitude, phase = magnitude_and_phase(signal())
    config = PhaseConfig(init=start, iterations=0)
    with tf.GradientTape() as tape:
        tape.watch(magnitude)
        waveform = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, phase)
        energy = tf.reduce_sum(waveform**2)
    gradient = tape.gradient(energy, magnitude).numpy()
    assert np.isfinite(gradient).all()
    assert gradient.any()


def test_a_random_phase_depends_on_the_seed():
    magnitude, _ = magnitude_and_phase(signal())
    config = PhaseConfig(init="random", iterations=2)
    first, again, other = (
        magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, seed=seed).numpy()
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_a_missing_original_is_an_error():
    magnitude, _ = magnitude_and_phase(signal())
    with pytest.raises(ConfigError, match="use init=pghi or random"):
        magnitude_to_waveform(magnitude, SPEC, SAMPLES, PhaseConfig(init="original"))


# Errors of a spectrum


def test_the_error_is_computed_for_each_clip():
    waveforms = signal(batch=2)
    magnitude, _ = magnitude_and_phase(waveforms)
    errors, targets = spectral_error(waveforms * [[1.0], [0.5]], magnitude, SPEC)
    energies = tf.reduce_sum(magnitude**2, axis=[1, 2])
    np.testing.assert_allclose(targets, energies, rtol=1e-6)  # float32
    np.testing.assert_allclose(errors, energies * [0, 0.25], rtol=1e-4, atol=1e-6 * energies[0])


def test_convergence_is_a_ratio_of_energies_in_db():
    for error, target, expected_db in [
        (1.0, 1.0, 0.0),
        (0.1, 1.0, -10.0),
        (5.0, 50.0, -10.0),
        (0.0, 1.0, -200.0),
        (0.0, 0.0, -200.0),
    ]:
        assert energy_db(error, target) == pytest.approx(expected_db)


def test_a_constraint_fixes_the_start_of_the_waveform():
    waveform = signal()
    magnitude, _ = magnitude_and_phase(waveform)
    free_mask = tf.cast(tf.range(SAMPLES) >= 1500, tf.float32)
    constraint = PhaseConstraint(waveform, free_mask, fixed_frames=(1500 - 128) // 64 + 1)
    for init in ("pghi", "random"):
        config = PhaseConfig(init=init, iterations=10)
        continued = magnitude_to_waveform(magnitude, SPEC, SAMPLES, config, constraint=constraint)
        np.testing.assert_array_equal(continued[:, :1500], waveform[:, :1500])
        assert np.abs(continued[:, 1500:] - waveform[:, 1500:]).max() > 0.01
