"""Filters of streams: bands with linear phase, and a gate for each part of the spectrum."""

import numpy as np
import pytest

from tfdream.audio.filters import apply_filters, gate
from tfdream.config import FilterConfig, validate
from tfdream.errors import ConfigError

RATE = 8000
TIMES = np.arange(2 * RATE) / RATE


def tone(hz, channels=1):
    wave = np.sin(2 * np.pi * hz * TIMES).astype(np.float32)
    return np.repeat(wave[:, None], channels, axis=1)


def filtered(samples, block=700, **settings):
    blocks = [samples[start : start + block] for start in range(0, len(samples), block)]
    return np.concatenate(list(apply_filters(blocks, RATE, FilterConfig(**settings))))


def level_db(samples):
    """Level of the middle half, relative to a sine of full scale."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 10 * np.log10(2 * np.mean(middle**2) + 1e-20)


@pytest.mark.parametrize(
    ("hz", "expected_db"), [(30, None), (100, -6), (200, 0), (870, 0), (1000, -6), (1130, None)]
)
def test_a_band_passes_its_frequencies_alone(hz, expected_db):
    level = level_db(filtered(tone(hz), low_hz=100, high_hz=1000))
    if expected_db is None:
        assert level < -58  # the design has 60 dB
    else:
        assert level == pytest.approx(expected_db, abs=0.1)


@pytest.mark.parametrize("low_hz", [40, 200, 1500])
def test_the_level_outside_a_band_is_as_documented(low_hz):
    """Replicas of the kernel overlap near 0 Hz and half the rate, where −60 dB are not reached."""
    impulse = np.zeros((2 * RATE, 1), np.float32)
    impulse[RATE] = 1
    hz = np.fft.rfftfreq(len(impulse), 1 / RATE)
    high_passed = np.abs(np.fft.rfft(filtered(impulse, low_hz=low_hz)[:, 0]))
    assert 20 * np.log10(high_passed[hz <= low_hz / 2].max()) < -57
    for high_hz, expected_db in ((1000, -59), (3500, -53)):
        low_passed = np.abs(np.fft.rfft(filtered(impulse, high_hz=high_hz)[:, 0]))
        assert 20 * np.log10(low_passed[hz >= high_hz * 1.125].max()) < expected_db


def test_a_band_has_no_delay():
    inside = tone(300, channels=2)
    output = filtered(inside, low_hz=50, high_hz=2000)
    assert output.dtype == np.float32
    # The ripple of 60 dB; the ends lack their neighbors.
    np.testing.assert_allclose(
        output[RATE // 4 : -RATE // 4], inside[RATE // 4 : -RATE // 4], atol=3e-3
    )


@pytest.mark.parametrize("settings", [{"low_hz": 60}, {"high_hz": 900}, {"gate_db": -30}])
@pytest.mark.parametrize("samples", [1, 511, 2048, 5000])
def test_the_result_does_not_depend_on_the_blocks(settings, samples):
    noise = np.random.default_rng(0).normal(0, 0.1, (samples, 2)).astype(np.float32)
    whole = filtered(noise, block=samples, **settings)
    assert whole.shape == noise.shape
    for block in (37, 2500):
        np.testing.assert_allclose(filtered(noise, block, **settings), whole, atol=1e-6)


def test_without_filters_the_samples_are_identical():
    noise = np.random.default_rng(0).normal(0, 0.1, (999, 1))
    assert np.array_equal(filtered(noise), noise)
    assert np.array_equal(filtered(noise, high_hz=RATE), noise)  # above half the sample rate


def test_the_gate_keeps_tones_and_attenuates_hiss():
    hiss = np.random.default_rng(0).normal(0, 2e-3, (len(TIMES), 1)).astype(np.float32)
    music = 0.5 * tone(437)
    gated = np.concatenate(list(gate([music + hiss], gate_db=-60, reduction_db=20)))
    assert level_db(gated) == pytest.approx(level_db(music), abs=0.01)
    # Above the tone, whose skirts in the window's spectrum end there.
    left, before = (filtered(each, low_hz=2000) for each in (gated, hiss))
    assert level_db(left) == pytest.approx(level_db(before) - 20, abs=1)
    loud = np.concatenate(list(gate([music], gate_db=-90, reduction_db=20)))
    np.testing.assert_allclose(loud[2048:-2048], music[2048:-2048], atol=1e-5)


def test_the_gate_preserves_the_balance_of_channels():
    stereo = np.random.default_rng(0).normal(0, 1e-3, (9000, 1)) * [1.0, 0.1]
    gated = np.concatenate(list(gate([stereo], gate_db=-50, reduction_db=30)))
    np.testing.assert_allclose(gated[:, 1], 0.1 * gated[:, 0], atol=1e-8)


def test_impossible_bands_are_errors():
    with pytest.raises(ConfigError, match="passes nothing"):
        validate({"low_hz": 900, "high_hz": 200}, FilterConfig, "test")
    with pytest.raises(ConfigError, match=r"low_hz=4000 leaves nothing of audio at 8000 Hz"):
        filtered(tone(100), low_hz=4000)
