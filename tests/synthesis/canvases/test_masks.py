import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    DreamConfig,
    MaskConfig,
    StftSpec,
    validate,
)
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig
from tfdream.signal.stft import waveform_to_stft
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.masks import Mask

RATE = 8000
SAMPLES = 8000
STFT = StftSpec(n_fft=256, hop_samples=64)
FRAMES = STFT.frames(SAMPLES)
HZ = np.arange(STFT.bins) * RATE / STFT.n_fft
SECONDS = np.arange(FRAMES) * STFT.hop_samples / RATE
# The widths of the borders: a sixth of an octave, 50 ms, 6 dB.
EDGE_OCTAVES, EDGE_SECONDS, EDGE_DB = 1 / 6, 0.05, 6.0


@pytest.fixture(scope="module")
def waveform():
    """A chord with a little noise, and noise."""
    rng = np.random.default_rng(0)
    seconds = np.arange(SAMPLES) / RATE
    chord = np.sin(2 * np.pi * np.array([[220], [277], [1330]]) * seconds).sum(axis=0) / 5
    both = np.stack([chord, np.zeros(SAMPLES)]) + rng.uniform(-1, 1, (2, SAMPLES)) * [[0.01], [0.3]]
    return tf.constant(both, tf.float32)


def weights(waveform, start_seconds=0.0, **limits):
    """`[batch, frames, bins]` of a mask."""
    config = validate({"mask": limits}, DreamConfig, "test").mask
    mask = Mask.build(config, RATE)
    found = mask(waveform_to_stft(waveform, STFT), STFT, start_seconds).numpy()
    assert found.shape == (len(waveform), FRAMES, STFT.bins)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    return found


# The weights


def test_no_limit_is_no_mask():
    assert Mask.build(MaskConfig(), RATE) is None


def test_frequencies_between_the_limits_change_and_others_stay(waveform):
    found = weights(waveform, frequency_hz=[500, 1500])
    assert (found == found[:1, :1]).all()  # at all times, in all examples
    octaves = np.log2(np.maximum(HZ, 1e-3))
    low, high = np.log2([500, 1500])
    inside = (octaves > low + EDGE_OCTAVES / 2) & (octaves < high - EDGE_OCTAVES / 2)
    outside = (octaves < low - EDGE_OCTAVES / 2) | (octaves > high + EDGE_OCTAVES / 2)
    assert (found[0, 0, inside] == 1).all()
    assert (found[0, 0, outside] == 0).all()
    between = found[0, 0, ~inside & ~outside]
    assert len(between) > 2
    assert ((between > 0) & (between < 1)).all()
    # Half at the border itself, which is in the middle of a bin.
    assert found[0, 0, HZ == 500] == pytest.approx(0.5, abs=1e-4)
    assert found[0, 0, HZ == 1500] == pytest.approx(0.5, abs=1e-4)


def test_times_between_the_limits_change_and_others_stay(waveform):
    found = weights(waveform, time_seconds=[0.2, 0.6])
    assert (found == found[:1, :, :1]).all()
    inside = (SECONDS > 0.2 + EDGE_SECONDS / 2) & (SECONDS < 0.6 - EDGE_SECONDS / 2)
    outside = (SECONDS < 0.2 - EDGE_SECONDS / 2) | (SECONDS > 0.6 + EDGE_SECONDS / 2)
    assert (found[0, inside] == 1).all()
    assert (found[0, outside] == 0).all()
    between = found[0, ~inside & ~outside, 0]
    assert len(between) > 4
    np.testing.assert_allclose(
        found[0, np.isclose(SECONDS, 0.2) | np.isclose(SECONDS, 0.6), 0], 0.5, atol=1e-4
    )


def test_times_are_those_of_the_recording(waveform):
    """Two tiles, the second of which begins 0.4 s later: it is in the mask 0.4 s earlier."""
    found = weights(waveform, tf.constant([0.0, 0.4]), time_seconds=[0.5, 0.9])
    later = round(0.4 * RATE / STFT.hop_samples)
    np.testing.assert_allclose(found[1, :-later], found[0, later:], atol=1e-4)  # float32 seconds
    assert found[1, SECONDS > 0.55].max() == 0


def test_strength_goes_in_straight_lines_from_point_to_point(waveform):
    points = [[0.25, 0.2], [0.5, 1.0], [0.75, 0.6]]
    found = weights(waveform, strength=points)
    assert (found == found[:1, :, :1]).all()
    times, strengths = np.array(points).T
    # Before the first point as there, behind the last one too.
    np.testing.assert_allclose(found[0, :, 0], np.interp(SECONDS, times, strengths), atol=1e-5)


def test_strength_runs_through_the_recording(waveform):
    points = [[0.0, 0.0], [2.0, 1.0]]
    found = weights(waveform, tf.constant([0.0, 1.0]), strength=points)
    np.testing.assert_allclose(found[:, :, 0], [SECONDS / 2, 0.5 + SECONDS / 2], atol=1e-5)


def test_two_points_at_one_time_are_a_step(waveform):
    found = weights(waveform, strength=[[0.5, 0.25], [0.5, 1.0]])
    assert (found[0, SECONDS < 0.5] == 0.25).all()
    assert (found[0, SECONDS > 0.51] == 1).all()


def test_one_point_is_one_strength(waveform):
    assert (weights(waveform, strength=[[3.0, 0.5]]) == 0.5).all()


def levels_db(waveform):
    """Below the loudest cell of each example."""
    power = np.abs(waveform_to_stft(waveform, STFT).numpy()) ** 2
    return 10 * np.log10(np.maximum(power / power.max(axis=(1, 2), keepdims=True), 1e-30))


def test_loud_cells_are_spared(waveform):
    found, level = weights(waveform, protect_above_db=-20), levels_db(waveform)
    assert (found[level > -20 + EDGE_DB / 2 + 0.01] == 0).all()
    assert (found[level < -20 - EDGE_DB / 2 - 0.01] == 1).all()
    edge = np.abs(level + 20) < EDGE_DB / 2 - 0.01
    np.testing.assert_allclose(found[edge], 0.5 - (level[edge] + 20) / EDGE_DB, atol=1e-3)


def test_soft_cells_are_spared(waveform):
    found, level = weights(waveform, protect_below_db=-30), levels_db(waveform)
    assert (found[level < -30 - EDGE_DB / 2 - 0.01] == 0).all()
    assert (found[level > -30 + EDGE_DB / 2 + 0.01] == 1).all()
    edge = np.abs(level + 30) < EDGE_DB / 2 - 0.01
    np.testing.assert_allclose(found[edge], 0.5 + (level[edge] + 30) / EDGE_DB, atol=1e-3)


def test_each_tile_has_a_loudest_cell_of_its_own(waveform):
    louder = waveform * [[1.0], [0.01]]
    limits = {"protect_above_db": -20, "protect_below_db": -50}
    np.testing.assert_allclose(weights(louder, **limits), weights(waveform, **limits), atol=1e-3)


def test_limits_multiply(waveform):
    limits = {
        "frequency_hz": [300, 2000],
        "time_seconds": [0.1, 0.7],
        "protect_above_db": -10,
        "protect_below_db": -60,
        "strength": [[0.0, 0.5], [1.0, 1.0]],
    }
    alone = [weights(waveform, **{name: limit}) for name, limit in limits.items()]
    np.testing.assert_allclose(weights(waveform, **limits), np.prod(alone, axis=0), atol=1e-6)


def test_silence_has_weights_too():
    silent = tf.zeros((1, SAMPLES))
    # All of it is as loud as its loudest.
    assert (weights(silent, protect_above_db=-20) == 0).all()
    assert (weights(silent, protect_below_db=-20) == 1).all()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"frequency_hz": [900, 300]}, "frequency_hz from 900 to 300 leaves nothing"),
        ({"time_seconds": [2, 2]}, "time_seconds from 2 to 2 leaves nothing"),
        ({"protect_above_db": -50, "protect_below_db": -20}, "from -20 to -50 leaves nothing"),
        ({"strength": [[1, 0], [0.5, 1]]}, "strength are not ascending"),
        ({"strength": [[1, 1.5]]}, "strength"),
        ({"time_seconds": [-1, 2]}, "time_seconds"),
    ],
)
def test_limits_that_leave_nothing_are_refused(limits, words):
    with pytest.raises(ConfigError, match=words):
        validate({"mask": limits}, DreamConfig, "test")


# On canvases

OWN_STFT = {"n_fft": 512, "hop_samples": 128}
KINDS = {
    "gains": {"kind": "gains", "stft": OWN_STFT},
    "mixture": {"kind": "mixture", "stft": OWN_STFT},
    "waveform": {"kind": "waveform"},
    "log_magnitude": {"kind": "log_magnitude", "phase": {"iterations": 0}},
    "phase": {"kind": "phase"},
    "log_magnitude_phase": {"kind": "log_magnitude_phase"},
}
EVERY = pytest.mark.parametrize("kind", KINDS)
# The longest window of a mask is the waveform canvas's: 2048 samples.
HALF_WINDOW = 1024 / RATE


def build(kind, **limits):
    shown = "amplitude_phase" if "phase" in kind else "amplitude"
    frontend = frontends.build(SpectrogramFrontendConfig(kind=shown, stft=STFT), RATE)
    config = validate({"canvas": KINDS[kind], "mask": limits}, DreamConfig, "test")
    mask = Mask.build(config.mask, RATE)
    return canvases.build(config.canvas, CanvasSpec(frontend, SAMPLES, RATE, mask))


def stirred(canvas, context):
    """Values far from the original's, all over."""
    values = canvas.start(context)
    width = 0.05 if values.shape.rank == 2 else 6.0  # full scale, dB or as much phase
    change = np.random.default_rng(1).normal(0, width, values.shape)
    return values + tf.constant(change, tf.float32)


def differences(canvas, waveform, start_seconds=0.0):
    """By how much each sample changes when all values do."""
    context = canvas.analyze(waveform, start_seconds)
    return (
        canvas.render(stirred(canvas, context), context)
        - canvas.render(canvas.start(context), context)
    ).numpy()


@EVERY
def test_sound_outside_of_the_times_stays(kind, waveform):
    found = differences(build(kind, time_seconds=[0.4, 0.6]), waveform)
    seconds = np.arange(SAMPLES) / RATE
    edge = EDGE_SECONDS / 2 + HALF_WINDOW
    outside = (seconds < 0.4 - edge) | (seconds > 0.6 + edge)
    inside = (seconds > 0.45) & (seconds < 0.55)
    # float32: −120 dB of the chord.
    assert np.abs(found[:, outside]).max() < 1e-6
    assert np.abs(found[:, inside]).max() > 0.01


@EVERY
def test_sound_outside_of_the_times_of_the_recording_stays(kind, waveform):
    """The same mask, on tiles that begin half a second apart."""
    canvas = build(kind, time_seconds=[0.8, 1.2])
    found = differences(canvas, tf.concat([waveform[1:]] * 2, 0), tf.constant([0.0, 0.5]))
    seconds = np.arange(SAMPLES) / RATE
    edge = EDGE_SECONDS / 2 + HALF_WINDOW
    assert np.abs(found[0, seconds < 0.8 - edge]).max() < 1e-6
    assert np.abs(found[0, seconds > 0.9]).max() > 0.01
    assert np.abs(found[1, (seconds < 0.3 - edge) | (seconds > 0.7 + edge)]).max() < 1e-6
    assert np.abs(found[1, (seconds > 0.4) & (seconds < 0.6)]).max() > 0.01


@EVERY
def test_sound_outside_of_the_frequencies_stays(kind, waveform):
    found = differences(build(kind, frequency_hz=[1000, 2000]), waveform)[1]
    power = np.abs(np.fft.rfft(found * np.hanning(SAMPLES))) ** 2
    hz = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    # Cells stand for what their windows hear: the Hann window of the STFT of 256 falls by 18 dB an
    # octave from its main lobe of 62 Hz; a change of cells is heard twice through it.
    inside = power[(hz > 1000) & (hz < 2000)].mean()
    assert power[(hz < 700) | (hz > 2500)].mean() < 1e-4 * inside
    assert power[(hz < 400) | (hz > 3000)].mean() < 1e-6 * inside


@EVERY
def test_values_outside_have_no_gradient_and_those_inside_have_one(kind, waveform):
    canvas = build(kind, time_seconds=[0.4, 0.6])
    context = canvas.analyze(waveform)
    values = tf.identity(canvas.start(context))  # which the context holds too, as the original
    with tf.GradientTape() as tape:
        tape.watch(values)
        brightness = tf.reduce_sum(canvas.view(values, context) ** 2)
    compiled = tape.gradient(brightness, values).numpy()
    assert np.isfinite(compiled).all()
    seconds = np.linspace(0, SAMPLES / RATE, compiled.shape[1])
    edge = 0.01 + EDGE_SECONDS / 2 + (HALF_WINDOW if kind == "waveform" else 0)
    outside = (seconds < 0.4 - edge) | (seconds > 0.6 + edge)
    assert np.abs(compiled[:, outside]).max() == 0
    for inside in compiled[:, (seconds > 0.45) & (seconds < 0.55)]:
        assert np.abs(inside).max() > 0


@EVERY
def test_a_strength_of_nothing_leaves_the_original(kind, waveform):
    found = differences(build(kind, strength=[[0, 0]]), waveform)
    assert np.abs(found).max() < 1e-6


@pytest.mark.parametrize("kind", ["gains", "waveform"])
def test_half_the_strength_is_half_the_change(kind, waveform):
    """Of decibels for gains: a bound of 8 becomes one of 4."""
    whole, half = build(kind), build(kind, strength=[[0, 0.5]])
    changes = []
    for canvas in (whole, half):
        context = canvas.analyze(waveform)
        if kind == "gains":
            values = canvas.start(context) + 1e6
            ratio = canvas.render(values, context) / waveform
            changes.append(20 * np.log10(np.median(ratio)))
        else:
            change = canvas.render(stirred(canvas, context), context) - waveform
            changes.append(np.linalg.norm(change))
    assert changes[1] == pytest.approx(changes[0] / 2, rel=1e-3)
