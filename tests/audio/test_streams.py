"""Sample streams: mid signal, resampling, rechunking, trimming and the limiter."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import block_lengths, join, noise, seeds, stream

from tfdream import audio

RATE = 8000
RATES = [(44100, 22050), (22050, 44100), (48000, 44100), (8000, 11025), (44100, 16000)]
lengths = st.integers(1, 3000)


def sine(samples, hz, rate, amplitude=0.5):
    angle = 2 * np.pi * hz * np.arange(samples) / rate
    return (amplitude * np.sin(angle)).astype(np.float32)[:, None]


def test_mid_is_the_mean_of_the_channels():
    samples = noise(100, 3)
    middle = join(audio.mid(stream(samples, [7])))
    assert middle.shape == (100, 1)
    np.testing.assert_allclose(middle[:, 0], samples.mean(axis=1), atol=1e-7)  # float32
    np.testing.assert_array_equal(join(audio.mid([samples[:, :1]])), samples[:, :1])
    stereo = samples[:, :2]
    np.testing.assert_array_equal(join(audio.mid([stereo])), stereo.mean(axis=1, keepdims=True))


@given(seeds, lengths, block_lengths, st.sampled_from(RATES))
@example(0, 5003, [1, 13, 997], (44100, 22050))
def test_resampling_does_not_depend_on_block_boundaries(seed, samples, blocks, rates):
    source_rate, target_rate = rates
    values = noise(samples, 2, seed=seed)
    whole = join(audio.resample([values], *rates), 2)
    np.testing.assert_array_equal(join(audio.resample(stream(values, blocks), *rates), 2), whole)
    assert abs(len(whole) - samples * target_rate / source_rate) <= 2


@pytest.mark.parametrize("rates", RATES)
def test_a_resampled_sine_keeps_its_frequency_and_phase(rates):
    source_rate, target_rate = rates
    for hz in (100, 1000, 3000):
        resampled = join(audio.resample([sine(source_rate // 2, hz, source_rate)], *rates))
        assert len(resampled) == pytest.approx(target_rate / 2, abs=1)
        expected = sine(len(resampled), hz, target_rate)
        # A shift by half a sample at the highest frequency would be an error of 0.05 to 0.3. The
        # sine is cut at both ends, where the filter rings for some hundred samples.
        inside = slice(500, -500)
        np.testing.assert_allclose(resampled[inside], expected[inside], atol=1e-4)


def test_resampling_removes_frequencies_above_the_new_nyquist_frequency():
    resampled = join(audio.resample([sine(44100, 15_000, 44100)], 44100, 22050))
    # An alias would have amplitude 0.5; soxr's high quality is exact to 20 bits, less at the ends.
    assert np.abs(resampled[500:-500]).max() < 1e-5


def test_resampling_to_the_same_rate_passes_blocks_through():
    samples = noise(100, 2)
    for before, after in zip(
        stream(samples, [7]), audio.resample(stream(samples, [7]), RATE, RATE), strict=True
    ):
        np.testing.assert_array_equal(after, before)


def test_channels_are_resampled_alike():
    mono = noise(3000)
    both = join(audio.resample([np.concatenate([mono, -mono], axis=1)], 44100, 16000), 2)
    np.testing.assert_array_equal(both[:, 0], -both[:, 1])


@given(seeds, lengths, block_lengths, st.integers(1, 4000))
@example(0, 100, [1], 100)
@example(0, 100, [99], 1)
@example(0, 100, [100], 101)
@example(0, 100, [1000], 10)
def test_rechunking_is_slicing(seed, samples, blocks, size):
    values = noise(samples, 2, seed=seed)
    chunks = list(audio.rechunk(stream(values, blocks), size))
    slices = list(stream(values, [size]))
    assert len(chunks) == len(slices)
    for chunk, expected in zip(chunks, slices, strict=True):
        np.testing.assert_array_equal(chunk, expected)


@given(seeds, lengths, block_lengths, st.integers(0, 4000), st.integers(0, 4000))
@example(0, 100, [3], 0, 0)
@example(0, 100, [10], 5, 0)
@example(0, 100, [64], 0, 5)
@example(0, 100, [1000], 50, 50)
@example(0, 100, [1], 100, 0)
@example(0, 100, [101], 0, 200)
def test_trimming_is_slicing(seed, samples, blocks, start, end):
    values = noise(samples, 2, seed=seed)
    trimmed = join(audio.trim(stream(values, blocks), start, end), 2)
    np.testing.assert_array_equal(trimmed, values[start : max(start, samples - end)])


@given(seeds, lengths, block_lengths, st.none() | st.integers(1, 4000))
@example(0, 100, [3], 100)
def test_the_head_is_a_slice(seed, samples, blocks, size):
    values = noise(samples, 2, seed=seed)
    np.testing.assert_array_equal(join(audio.head(stream(values, blocks), size), 2), values[:size])


def counted_stream(samples, requests):
    """An endless stream that appends to `requests` for every block."""
    while True:
        requests.append(1)
        yield noise(samples)


def test_the_head_requests_no_block_after_its_end():
    requests = []
    assert len(join(audio.head(counted_stream(10, requests), 30))) == 30
    assert len(requests) == 3


def test_empty_streams_stay_empty():
    for empty in (
        audio.head([], 5),
        audio.mid([]),
        audio.resample([], 44100, RATE),
        audio.rechunk([], 5),
        audio.trim([], 1, 1),
        audio.limit([], RATE),
    ):
        assert list(empty) == []


def test_streams_need_constant_memory():
    """Only a few blocks of an endless stream are requested before the first result."""
    requests = []
    blocks = counted_stream(1000, requests)
    chain = audio.limit(audio.trim(audio.rechunk(blocks, 700), 100, 1500), RATE)
    next(chain)
    assert len(requests) < 10


# Limiter


def loud_passages(channels=2):
    """Quiet noise with single peaks, a loud passage, and peaks at both ends."""
    samples = noise(6000, channels, peak=0.5)
    samples[2000:2600] *= 6
    samples[[0, 1000, 1001, 4000, 5999], 0] = [3.0, -1.5, 1.2, 10.0, -2.0]
    return samples


@pytest.mark.parametrize("ceiling", [0.999, 0.5, 0.1])
def test_limited_samples_stay_under_the_ceiling(ceiling):
    limited = join(audio.limit([loud_passages()], RATE, ceiling), 2)
    assert limited.dtype == np.float32
    assert np.abs(limited).max() <= ceiling * (1 + 2e-7)  # gain and product are rounded to float32


@given(block_lengths)
@example([1])
@example([79])  # the limiter looks ahead by 40 samples
@example([80])
@example([81])
def test_limiting_does_not_depend_on_block_boundaries(blocks):
    samples = loud_passages()
    np.testing.assert_allclose(
        join(audio.limit(stream(samples, blocks), RATE), 2),
        join(audio.limit([samples], RATE), 2),
        rtol=1e-6,  # the sum of a convolution may be rounded differently
    )


@given(seeds, block_lengths)
@example(0, [1])
@example(0, [3000])
def test_samples_under_the_ceiling_do_not_change(seed, blocks):
    samples = noise(3000, 2, peak=audio.CEILING, seed=seed)
    np.testing.assert_array_equal(join(audio.limit(stream(samples, blocks), RATE), 2), samples)


def test_samples_far_from_a_peak_do_not_change():
    samples = noise(3000, 2, peak=0.9)
    samples[1500] = 4.0
    limited = join(audio.limit([samples], RATE, look_ahead_seconds=0.005), 2)
    changed = np.flatnonzero((limited != samples).any(axis=1))
    assert changed[0] >= 1500 - 2 * 40  # the gain falls and rises over twice the 5 ms
    assert changed[-1] <= 1500 + 2 * 40


def test_the_gain_is_smooth_and_the_same_for_both_channels():
    samples = np.full((3000, 2), 0.5, np.float32)
    samples[:, 1] = -0.25
    samples[1500, 0] = 4.0
    limited = join(audio.limit([samples], RATE), 2)
    gain = limited / samples
    np.testing.assert_allclose(gain[:, 0], gain[:, 1], rtol=1e-6)  # float32
    assert gain.max() <= 1
    assert gain[1500, 0] == pytest.approx(audio.CEILING / 4, rel=1e-6)
    # A Hann window of 81 samples that slides over a step of 0.75 changes it by at most 2/82 each.
    assert np.abs(np.diff(gain[:, 0])).max() <= 0.75 * 2 / 82 * 1.01


def test_silence_is_limited_to_silence():
    assert not join(audio.limit([np.zeros((500, 2), np.float32)], RATE), 2).any()
