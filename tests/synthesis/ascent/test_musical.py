import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import FeatureNetworkConfig
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.signal.stft import waveform_to_stft
from tfdream.synthesis.ascent import musical
from tfdream.synthesis.ascent.objectives import INPUT, Reference
from tfdream.synthesis.ascent.spectrum import Spectrum

RATE = 22050
LOG1P = {"kind": "log1p", "stft": {"n_fft": 2048, "hop_samples": 512}}
AMPLITUDE = {"kind": "amplitude", "stft": {"n_fft": 2048, "hop_samples": 512}}
MAGNITUDE = {"kind": "magnitude", "stft": {"n_fft": 2048, "hop_samples": 512}}
LOG_MEL = {"kind": "log_mel", "bands": 256, "stft": {"n_fft": 4096, "hop_samples": 512}}


def frontend(section):
    config = FeatureNetworkConfig(kind="features", name="random_conv1d", frontend=section)
    return frontends.build(config.frontend, RATE)


def tones(*hertz, partials=4):
    """Notes of half a second, float32 `[1, samples]`."""
    time = np.arange(RATE // 2) / RATE
    numbers = np.arange(1, partials + 1)[:, None]
    notes = [(np.sin(2 * np.pi * each * numbers * time) / numbers).sum(axis=0) for each in hertz]
    return tf.constant(np.concatenate(notes)[np.newaxis] / 4, tf.float32)


def distance(objective, view, original, changed):
    targets = objective.precompute(Reference({INPUT: view(original)}))
    return float(objective.value({INPUT: view(changed)}, targets)[0])


@pytest.mark.parametrize("section", [LOG1P, AMPLITUDE, MAGNITUDE, LOG_MEL])
def test_other_notes_change_the_harmony_and_other_timbres_do_not(section):
    view = frontend(section)
    harmony = musical.harmony(view, RATE)
    original = tones(262, 330)
    assert distance(harmony, view, original, original) == 0
    timbre = distance(harmony, view, original, tones(262, 330, partials=2))
    notes = distance(harmony, view, original, tones(294, 370))
    assert notes > 3 * timbre


def test_other_onsets_change_the_rhythm_and_other_notes_do_not():
    view = frontend(LOG1P)
    rhythm = musical.rhythm()
    original = tones(262, 330, 392)
    shifted = tf.roll(original, RATE // 5, axis=1)
    assert distance(rhythm, view, original, original) == 0
    assert distance(rhythm, view, original, shifted) > 2 * distance(
        rhythm, view, original, tones(294, 370, 440)
    )


def test_pitch_classes_are_octaves_apart():
    weights = musical.pitch_classes(np.array([110.0, 220.0, 440.0, 466.2, 20.0]))
    assert weights.argmax(axis=1)[:4].tolist() == [9, 9, 9, 10]
    np.testing.assert_allclose(weights[0], weights[2])
    assert not weights[4].any()


@pytest.mark.parametrize("section", [LOG1P, AMPLITUDE, MAGNITUDE, LOG_MEL])
def test_power_is_that_of_the_sound_up_to_a_factor(section):
    view = frontend(section)
    power = Spectrum.of(view, RATE, "this").power(view(tones(262, 330))).numpy()
    spec = view.spec
    expected = tf.abs(waveform_to_stft(tones(262, 330), spec)).numpy() ** 2
    if view.bands:
        expected = view.bands.from_bins(tf.constant(expected)).numpy()
    expected = expected.transpose(0, 2, 1)
    loud = expected > 1e-5 * expected.max()
    ratio = (power / power.max())[loud] / (expected / expected.max())[loud]
    np.testing.assert_allclose(ratio, 1, rtol=0.01)


def test_a_range_of_each_clip_has_no_power():
    with pytest.raises(ConfigError, match="keep=harmony needs levels on one scale"):
        musical.harmony(frontend(AMPLITUDE | {"level_range": "min_max"}), RATE)


def test_harmony_needs_frequencies():
    raw = frontends.build(
        FeatureNetworkConfig(kind="features", name="x", frontend={"kind": "raw"}).frontend, RATE
    )
    with pytest.raises(ConfigError, match="keep=harmony needs an image"):
        musical.harmony(raw, RATE)
