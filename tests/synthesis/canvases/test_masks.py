import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    CurveConfig,
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
from tfdream.synthesis.rendering.timelines import Timeline, Timelines

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
    """The weights of a mask, `[batch, frames, bins]`."""
    strength = limits.pop("strength", None)
    lines = {"mask.strength": Timeline.sample(CurveConfig(points=strength), 4)} if strength else {}
    config = validate({"mask": limits}, DreamConfig, "test").mask
    mask = Mask.build(config, RATE, Timelines(lines))
    result = mask(waveform_to_stft(waveform, STFT), STFT, start_seconds).numpy()
    assert result.shape == (len(waveform), FRAMES, STFT.bins)
    assert result.dtype == np.float32
    assert ((result >= 0) & (result <= 1)).all()
    return result


# The weights


def test_without_limits_there_is_no_mask():
    assert Mask.build(MaskConfig(), RATE) is None


def test_weights_are_one_between_the_frequencies_and_zero_outside(waveform):
    weight = weights(waveform, frequency_hz=[500, 1500])
    assert (weight == weight[:1, :1]).all()  # at all times, in all examples
    octaves = np.log2(np.maximum(HZ, 1e-3))
    low, high = np.log2([500, 1500])
    inside = (octaves > low + EDGE_OCTAVES / 2) & (octaves < high - EDGE_OCTAVES / 2)
    outside = (octaves < low - EDGE_OCTAVES / 2) | (octaves > high + EDGE_OCTAVES / 2)
    assert (weight[0, 0, inside] == 1).all()
    assert (weight[0, 0, outside] == 0).all()
    between = weight[0, 0, ~inside & ~outside]
    assert len(between) > 2
    assert ((between > 0) & (between < 1)).all()
    # Half at the border itself, which is in the middle of a bin.
    assert weight[0, 0, HZ == 500] == pytest.approx(0.5, abs=1e-4)
    assert weight[0, 0, HZ == 1500] == pytest.approx(0.5, abs=1e-4)


def test_weights_are_one_between_the_times_and_zero_outside(waveform):
    weight = weights(waveform, time_seconds=[0.2, 0.6])
    assert (weight == weight[:1, :, :1]).all()
    inside = (SECONDS > 0.2 + EDGE_SECONDS / 2) & (SECONDS < 0.6 - EDGE_SECONDS / 2)
    outside = (SECONDS < 0.2 - EDGE_SECONDS / 2) | (SECONDS > 0.6 + EDGE_SECONDS / 2)
    assert (weight[0, inside] == 1).all()
    assert (weight[0, outside] == 0).all()
    between = weight[0, ~inside & ~outside, 0]
    assert len(between) > 4
    np.testing.assert_allclose(
        weight[0, np.isclose(SECONDS, 0.2) | np.isclose(SECONDS, 0.6), 0], 0.5, atol=1e-4
    )


def test_times_are_those_of_the_file(waveform):
    """The second of two tiles starts 0.4 s later, and its mask 0.4 s earlier."""
    weight = weights(waveform, tf.constant([0.0, 0.4]), time_seconds=[0.5, 0.9])
    later = round(0.4 * RATE / STFT.hop_samples)
    np.testing.assert_allclose(weight[1, :-later], weight[0, later:], atol=1e-4)  # float32 seconds
    assert weight[1, SECONDS > 0.55].max() == 0


def test_strength_is_interpolated_linearly(waveform):
    points = [[0.25, 0.2], [0.5, 1.0], [0.75, 0.6]]
    weight = weights(waveform, strength=points)
    assert (weight == weight[:1, :, :1]).all()
    times, strengths = np.array(points).T
    # Constant before the first point and after the last one.
    np.testing.assert_allclose(weight[0, :, 0], np.interp(SECONDS, times, strengths), atol=1e-5)


def test_the_times_of_strength_are_those_of_the_file(waveform):
    points = [[0.0, 0.0], [2.0, 1.0]]
    weight = weights(waveform, tf.constant([0.0, 1.0]), strength=points)
    np.testing.assert_allclose(weight[:, :, 0], [SECONDS / 2, 0.5 + SECONDS / 2], atol=1e-5)


def test_one_point_is_a_constant_strength(waveform):
    assert (weights(waveform, strength=[[3.0, 0.5]]) == 0.5).all()


def levels_db(waveform):
    """Levels relative to the loudest cell of each example."""
    power = np.abs(waveform_to_stft(waveform, STFT).numpy()) ** 2
    return 10 * np.log10(np.maximum(power / power.max(axis=(1, 2), keepdims=True), 1e-30))


def test_loud_cells_are_protected(waveform):
    weight, level = weights(waveform, protect_above_db=-20), levels_db(waveform)
    assert (weight[level > -20 + EDGE_DB / 2 + 0.01] == 0).all()
    assert (weight[level < -20 - EDGE_DB / 2 - 0.01] == 1).all()
    edge = np.abs(level + 20) < EDGE_DB / 2 - 0.01
    np.testing.assert_allclose(weight[edge], 0.5 - (level[edge] + 20) / EDGE_DB, atol=1e-3)


def test_soft_cells_are_protected(waveform):
    weight, level = weights(waveform, protect_below_db=-30), levels_db(waveform)
    assert (weight[level < -30 - EDGE_DB / 2 - 0.01] == 0).all()
    assert (weight[level > -30 + EDGE_DB / 2 + 0.01] == 1).all()
    edge = np.abs(level + 30) < EDGE_DB / 2 - 0.01
    np.testing.assert_allclose(weight[edge], 0.5 + (level[edge] + 30) / EDGE_DB, atol=1e-3)


def test_levels_are_relative_to_the_loudest_cell_of_each_tile(waveform):
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


def test_the_weights_of_silence_are_finite():
    silent = tf.zeros((1, SAMPLES))
    # All cells are as loud as the loudest.
    assert (weights(silent, protect_above_db=-20) == 0).all()
    assert (weights(silent, protect_below_db=-20) == 1).all()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"frequency_hz": [900, 300]}, "frequency_hz from 900 to 300 leaves nothing"),
        ({"time_seconds": [2, 2]}, "time_seconds from 2 to 2 leaves nothing"),
        ({"protect_above_db": -50, "protect_below_db": -20}, "from -20 to -50 leaves nothing"),
        ({"strength": 1.5}, "strength"),
        ({"time_seconds": [-1, 2]}, "time_seconds"),
    ],
)
def test_invalid_limits_are_errors(limits, message):
    with pytest.raises(ConfigError, match=message):
        validate({"mask": limits}, DreamConfig, "test")


# On canvases

CANVAS_STFT = {"n_fft": 512, "hop_samples": 128}
KINDS = {
    "gains": {"kind": "gains", "stft": CANVAS_STFT},
    "mixture": {"kind": "mixture", "stft": CANVAS_STFT},
    "waveform": {"kind": "waveform"},
    "log_magnitude": {"kind": "log_magnitude", "phase": {"iterations": 0}},
    "phase": {"kind": "phase"},
    "log_magnitude_phase": {"kind": "log_magnitude_phase"},
}
EVERY_CANVAS = pytest.mark.parametrize("kind", KINDS)
# The longest window of a mask is the waveform canvas's: 2048 samples.
HALF_WINDOW = 1024 / RATE


def build(kind, **limits):
    shown = "amplitude_phase" if "phase" in kind else "amplitude"
    frontend = frontends.build(SpectrogramFrontendConfig(kind=shown, stft=STFT), RATE)
    config = validate({"canvas": KINDS[kind], "mask": limits}, DreamConfig, "test")
    mask = Mask.build(config.mask, RATE)
    return canvases.build(config.canvas, CanvasSpec(frontend, SAMPLES, RATE, mask))


def changed_values(canvas, context):
    """Values that all differ much from the original's."""
    values = canvas.start(context)
    width = 0.05 if values.shape.rank == 2 else 6.0  # full scale, dB or as much phase
    change = np.random.default_rng(1).normal(0, width, values.shape)
    return values + tf.constant(change, tf.float32)


def differences(canvas, waveform, start_seconds=0.0):
    """The change of each sample when all values change."""
    context = canvas.analyze(waveform, start_seconds)
    return (
        canvas.render(changed_values(canvas, context), context)
        - canvas.render(canvas.start(context), context)
    ).numpy()


@EVERY_CANVAS
def test_samples_outside_of_the_times_are_unchanged(kind, waveform):
    change = differences(build(kind, time_seconds=[0.4, 0.6]), waveform)
    seconds = np.arange(SAMPLES) / RATE
    edge = EDGE_SECONDS / 2 + HALF_WINDOW
    outside = (seconds < 0.4 - edge) | (seconds > 0.6 + edge)
    inside = (seconds > 0.45) & (seconds < 0.55)
    # float32: −120 dB of the chord.
    assert np.abs(change[:, outside]).max() < 1e-6
    assert np.abs(change[:, inside]).max() > 0.01


@EVERY_CANVAS
def test_samples_outside_of_the_times_of_the_file_are_unchanged(kind, waveform):
    """The same mask on tiles that start half a second apart."""
    canvas = build(kind, time_seconds=[0.8, 1.2])
    change = differences(canvas, tf.concat([waveform[1:]] * 2, 0), tf.constant([0.0, 0.5]))
    seconds = np.arange(SAMPLES) / RATE
    edge = EDGE_SECONDS / 2 + HALF_WINDOW
    assert np.abs(change[0, seconds < 0.8 - edge]).max() < 1e-6
    assert np.abs(change[0, seconds > 0.9]).max() > 0.01
    assert np.abs(change[1, (seconds < 0.3 - edge) | (seconds > 0.7 + edge)]).max() < 1e-6
    assert np.abs(change[1, (seconds > 0.4) & (seconds < 0.6)]).max() > 0.01


@EVERY_CANVAS
def test_frequencies_outside_of_the_mask_are_unchanged(kind, waveform):
    change = differences(build(kind, frequency_hz=[1000, 2000]), waveform)[1]
    power = np.abs(np.fft.rfft(change * np.hanning(SAMPLES))) ** 2
    hz = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    # A change of cells passes the window twice: the Hann window of 256 samples falls by 18 dB per
    # octave from its main lobe of 62 Hz.
    inside = power[(hz > 1000) & (hz < 2000)].mean()
    assert power[(hz < 700) | (hz > 2500)].mean() < 1e-4 * inside
    assert power[(hz < 400) | (hz > 3000)].mean() < 1e-6 * inside


@EVERY_CANVAS
def test_the_gradient_is_zero_outside_of_the_times_only(kind, waveform):
    canvas = build(kind, time_seconds=[0.4, 0.6])
    context = canvas.analyze(waveform)
    values = tf.identity(canvas.start(context))  # the context contains them as well
    with tf.GradientTape() as tape:
        tape.watch(values)
        brightness = tf.reduce_sum(canvas.view(values, context) ** 2)
    gradient = tape.gradient(brightness, values).numpy()
    assert np.isfinite(gradient).all()
    seconds = np.linspace(0, SAMPLES / RATE, gradient.shape[1])
    edge = 0.01 + EDGE_SECONDS / 2 + (HALF_WINDOW if kind == "waveform" else 0)
    outside = (seconds < 0.4 - edge) | (seconds > 0.6 + edge)
    assert np.abs(gradient[:, outside]).max() == 0
    for inside in gradient[:, (seconds > 0.45) & (seconds < 0.55)]:
        assert np.abs(inside).max() > 0


@EVERY_CANVAS
def test_a_strength_of_zero_leaves_the_original_unchanged(kind, waveform):
    change = differences(build(kind, strength=0), waveform)
    assert np.abs(change).max() < 1e-6


@pytest.mark.parametrize("kind", ["gains", "waveform"])
def test_half_the_strength_is_half_the_change(kind, waveform):
    """For gains it is half the decibels: a bound of 8 becomes one of 4."""
    whole, half = build(kind), build(kind, strength=0.5)
    changes = []
    for canvas in (whole, half):
        context = canvas.analyze(waveform)
        if kind == "gains":
            values = canvas.start(context) + 1e6
            ratio = canvas.render(values, context) / waveform
            changes.append(20 * np.log10(np.median(ratio)))
        else:
            change = canvas.render(changed_values(canvas, context), context) - waveform
            changes.append(np.linalg.norm(change))
    assert changes[1] == pytest.approx(changes[0] / 2, rel=1e-3)
