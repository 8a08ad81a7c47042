import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import FeatureNetworkConfig
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.synthesis.ascent import musical
from tfdream.synthesis.ascent.objectives import INPUT, Reference

RATE = 22050
LOG1P = {"kind": "log1p", "stft": {"n_fft": 2048, "hop_samples": 512}}
AMPLITUDE = {"kind": "amplitude", "stft": {"n_fft": 2048, "hop_samples": 512}}


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


@pytest.mark.parametrize("section", [LOG1P, AMPLITUDE])
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


def test_harmony_needs_frequencies():
    raw = frontends.build(
        FeatureNetworkConfig(kind="features", name="x", frontend={"kind": "raw"}).frontend, RATE
    )
    with pytest.raises(ConfigError, match="keep=harmony needs an image"):
        musical.harmony(raw, RATE)
