import itertools
import math

import numba
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import StftSpec
from tfdream.signal import pghi
from tfdream.signal.pghi import integrate_phase
from tfdream.signal.phase import energy_db, griffin_lim, random_phase, spectral_error
from tfdream.signal.stft import stft_to_waveform, to_complex, waveform_to_stft

RATE = 8000
SAMPLES = 6000
SECONDS = np.arange(SAMPLES) / RATE
# A hop that divides n_fft and one that does not, with n_fft no power of two.
SPECS = [StftSpec(n_fft=256, hop_samples=64), StftSpec(n_fft=252, hop_samples=35)]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=str)


def stft(samples, spec):
    return waveform_to_stft(tf.constant(samples[np.newaxis], tf.float32), spec).numpy()


def analyzed(samples, spec):
    """Return the magnitude and the phase estimated from it, both `[frames, bins]`."""
    magnitude = np.abs(stft(samples, spec))
    return magnitude[0], integrate_phase(magnitude, spec)[0]


def turns_apart(one, other):
    """Return the distance of two angles in turns, 0 to 0.5."""
    turns = (one - other) / (2 * math.pi)
    return np.abs(turns - np.round(turns))


def melody():
    """Return notes of decaying partials with vibrato, a click at each onset, and some noise."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1e-3, SAMPLES)
    for onset, hz in zip(range(0, SAMPLES, 1500), (220, 330, 277, 440), strict=True):
        seconds = SECONDS[: SAMPLES - onset]
        cycles = hz * seconds + 0.3 * np.sin(2 * np.pi * 5 * seconds)
        for partial in range(1, 7):
            decay = np.exp(-seconds * (2 + partial)) / partial
            samples[onset:] += 0.2 * decay * np.sin(2 * np.pi * partial * cycles)
        samples[onset] += 0.5
    return samples


# Gradients that follow from physics. Near the maximum, a Hann window differs from a Gaussian by a
# twentieth of a turn.


@each_spec
@pytest.mark.parametrize("hz", [440.0, 1000.0, 2512.3])
def test_the_phase_of_a_tone_advances_by_its_frequency(spec, hz):
    magnitude, phase = analyzed(np.sin(2 * np.pi * hz * SECONDS), spec)
    middle = len(phase) // 2
    loudest = magnitude[middle].argmax()
    estimated = phase[middle + 1, loudest] - phase[middle, loudest]
    expected = 2 * np.pi * hz * spec.hop_samples / RATE
    assert turns_apart(estimated, expected) < 0.05


@each_spec
def test_the_phase_of_a_tone_alternates_between_bins(spec):
    """It differs by half a turn, because phases refer to the start of the window."""
    magnitude, phase = analyzed(np.sin(2 * np.pi * 1000 * SECONDS), spec)
    middle = len(phase) // 2
    loudest = magnitude[middle].argmax()
    estimated = np.diff(phase[middle, loudest - 1 : loudest + 2])
    np.testing.assert_allclose(turns_apart(estimated, math.pi), 0, atol=0.01)


@each_spec
@pytest.mark.parametrize("offset", [-15, 0, 15])
def test_the_phase_of_an_impulse_follows_from_its_position_in_the_window(spec, offset):
    frame = 20  # the nearest frame; others may be integrated from it along time
    samples = np.zeros(SAMPLES)
    samples[frame * spec.hop_samples + offset] = 1
    _, phase = analyzed(samples, spec)
    expected = -2 * np.pi * (spec.n_fft / 2 + offset) / spec.n_fft
    assert turns_apart(np.diff(phase[frame]), expected).max() < 0.02


@each_spec
@pytest.mark.parametrize("hz_per_second", [-2000.0, 2000.0])
def test_the_phase_of_a_chirp_advances_by_its_instantaneous_frequency(spec, hz_per_second):
    start_hz = 2000 - hz_per_second * SECONDS[-1] / 2
    cycles = (start_hz + hz_per_second / 2 * SECONDS) * SECONDS
    magnitude, phase = analyzed(np.sin(2 * np.pi * cycles), spec)
    inside = range(5, len(phase) - 6)
    loudest = magnitude.argmax(axis=1)
    estimated = [
        phase[frame + 1, loudest[frame]] - phase[frame, loudest[frame]] for frame in inside
    ]
    # In bins beside the ridge a chirp's phase is curved, as in the true STFT.
    true = np.angle(stft(np.sin(2 * np.pi * cycles), spec)[0])
    expected = [true[frame + 1, loudest[frame]] - true[frame, loudest[frame]] for frame in inside]
    assert turns_apart(estimated, np.array(expected)).max() < 0.05
    hz = start_hz + hz_per_second * (np.array(inside) + 0.5) * spec.hop_samples / RATE
    assert (
        np.median(turns_apart(np.array(estimated), 2 * np.pi * hz * spec.hop_samples / RATE)) < 0.05
    )


@each_spec
def test_separated_sounds_are_integrated_independently(spec):
    """Only the phase difference between them is undetermined."""
    samples = np.sin(2 * np.pi * 1000 * SECONDS)
    samples[2000:4000] = 0
    _, phase = analyzed(samples, spec)
    expected = 2 * np.pi * 1000 * spec.hop_samples / RATE
    for second in (0.12, 0.63):
        frame = round(second * RATE / spec.hop_samples)
        tone_bin = round(1000 * spec.n_fft / RATE)
        estimated = phase[frame + 1, tone_bin] - phase[frame, tone_bin]
        assert turns_apart(estimated, expected) < 0.05


# Waveforms


@each_spec
def test_the_error_is_lower_than_after_ten_iterations_of_griffin_lim(spec):
    magnitude = tf.constant(np.abs(stft(melody(), spec)))

    def error_db(waveform):
        error, target = spectral_error(waveform, magnitude, spec)
        return energy_db(float(error[0]), float(target[0]))

    def rendered(phase):
        return stft_to_waveform(to_complex(magnitude, phase), spec, SAMPLES)

    estimated = error_db(rendered(tf.constant(integrate_phase(magnitude.numpy(), spec))))
    assert estimated < error_db(rendered(random_phase(magnitude))) - 10  # dB
    assert estimated < error_db(griffin_lim(magnitude, spec, SAMPLES, 10, momentum=0.0)) - 2


# Contracts


@each_spec
def test_the_phase_is_within_half_a_turn(spec):
    magnitude = np.abs(stft(melody(), spec))
    phase = integrate_phase(magnitude, spec)
    assert phase.shape == magnitude.shape
    assert phase.dtype == np.float32
    assert np.abs(phase).max() <= np.float32(math.pi)


def test_clips_of_a_batch_are_independent():
    spec = SPECS[0]
    clips = [melody(), melody()[::-1], np.zeros(SAMPLES)]
    magnitude = np.abs(np.concatenate([stft(clip, spec) for clip in clips]))
    together = integrate_phase(magnitude, spec)
    for number in range(len(clips)):
        alone = integrate_phase(magnitude[number : number + 1], spec)
        np.testing.assert_array_equal(together[number], alone[0])


def test_the_phase_does_not_depend_on_the_level():
    magnitude = np.abs(stft(melody(), SPECS[0]))
    louder = integrate_phase(64 * magnitude, SPECS[0])
    # With a power of two only the logarithm is rounded.
    assert turns_apart(louder, integrate_phase(magnitude, SPECS[0])).max() < 1e-4


def test_the_seed_affects_only_cells_below_the_tolerance():
    magnitude = np.abs(stft(melody(), SPECS[0]))
    first, again, other = (
        integrate_phase(magnitude, SPECS[0], seed=seed, tolerance=1e-3) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    soft = magnitude <= 1e-3 * magnitude.max()
    assert 0 < soft.mean() < 1
    assert (first != other)[soft].mean() > 0.99
    np.testing.assert_array_equal(first[~soft], other[~soft])


def test_silence_and_few_frames_are_finite():
    for frames, level in itertools.product((0, 1, 2, 5), (0.0, 1.0)):
        magnitude = np.full([2, frames, SPECS[0].bins], level, np.float32)
        phase = integrate_phase(magnitude, SPECS[0])
        assert phase.shape == magnitude.shape
        assert np.isfinite(phase).all()


def test_an_empty_batch_has_an_empty_phase():
    assert integrate_phase(np.zeros([0, 7, 129], np.float32), SPECS[0]).shape == (0, 7, 129)


def test_compilation_without_a_writable_folder(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    assert pghi._compiled(lambda number: number + 1)(1) == 2
