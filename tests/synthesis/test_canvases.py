import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import AnyFrontend, Config, DreamConfig, StftSpec, validate
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.signal.phase import energy_db, spectral_error
from tfdream.signal.stft import stft_to_waveform, waveform_to_stft
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import CanvasSpec, gains, gains_and_noise

SAMPLES = 4000
RATE = 8000
STFT = StftSpec(n_fft=256, hop_samples=64)
CANVAS_STFT = {"n_fft": 512, "hop_samples": 128}
SPECTROGRAMS = ("amplitude", "phase", "amplitude_phase", "log1p", "magnitude", "mel", "log_mel")


def levels(**phase):
    return {"kind": "log_magnitude", "phase": phase}


GAINS = {"kind": "gains", "bound_db": 6.0, "stft": CANVAS_STFT}
MIXTURE = {"kind": "mixture", "bound_db": 6.0, "stft": CANVAS_STFT}
GAINS_AND_NOISE = {
    "kind": "gains_and_noise",
    "bound_db": 40.0,
    "noise_above_db": 6.0,
    "stft": CANVAS_STFT,
}
WAVEFORM = {"kind": "waveform"}
ORIGINAL_PHASE = levels(iterations=0)
GRIFFIN_LIM = levels(iterations=4)
PGHI = levels(init="pghi", iterations=0)
PGHI_GRIFFIN_LIM = levels(init="pghi", iterations=4)
PHASE = {"kind": "phase"}
LEVEL_AND_PHASE = {"kind": "log_magnitude_phase"}
PICTURE = {"kind": "picture"}

CANVASES = {
    "gains": GAINS,
    "mixture": MIXTURE,
    "gains and noise": GAINS_AND_NOISE,
    "waveform": WAVEFORM,
    "original phase": ORIGINAL_PHASE,
    "griffin-lim": GRIFFIN_LIM,
    "pghi": PGHI,
    "pghi griffin-lim": PGHI_GRIFFIN_LIM,
    "phase": PHASE,
    "level and phase": LEVEL_AND_PHASE,
    "picture": PICTURE,
}


def each(*names):
    return pytest.mark.parametrize("canvas_config", [CANVASES[name] for name in names], ids=names)


# The canvases whose view is that of the rendered waveform, through any frontend.
OF_WAVEFORMS = each("gains", "mixture", "gains and noise", "waveform")
WITH_CELL_GAINS = each("gains", "mixture")


class FrontendSection(Config):
    frontend: AnyFrontend


def build_frontend(kind="amplitude", **settings):
    settings = settings or ({} if kind == "raw" else {"stft": STFT.model_dump()})
    config = validate({"frontend": {"kind": kind, **settings}}, FrontendSection, "test")
    return frontends.build(config.frontend, RATE)


def build(canvas_config, frontend=None, samples=SAMPLES, **spec):
    """Build a canvas, by default with a frontend that shows what the canvas changes."""
    if frontend is None:
        shows_phase = "phase" in canvas_config["kind"]
        frontend = build_frontend("amplitude_phase" if shows_phase else "amplitude")
    config = validate({"canvas": canvas_config}, DreamConfig, "test").canvas
    return canvases.build(config, CanvasSpec(frontend, samples, RATE, **spec))


@pytest.fixture(scope="module")
def waveform():
    """A chord with a little noise, and noise."""
    rng = np.random.default_rng(0)
    seconds = np.arange(SAMPLES) / RATE
    chord = np.sin(2 * np.pi * np.array([[220], [277], [1330]]) * seconds).sum(axis=0) / 5
    both = np.stack([chord, np.zeros(SAMPLES)]) + rng.uniform(-1, 1, (2, SAMPLES)) * [[0.01], [0.3]]
    return tf.constant(both, tf.float32)


def error_db(waveform, expected):
    """The level of the error below the expected waveform."""
    return 10 * np.log10(np.sum((waveform - expected) ** 2) / np.sum(expected**2))


def image_difference(image, expected):
    """The absolute difference of two images for each channel; phases are compared on a circle."""
    difference = np.abs(image - expected)
    if expected.shape[-1] == 2:
        difference[..., 1] = np.minimum(difference[..., 1], 1 - difference[..., 1])
    return difference


# Contracts of every canvas


@each(*CANVASES)
def test_the_start_shows_and_renders_the_original(canvas_config, waveform):
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    rendered = canvas.render(values, context).numpy()
    assert rendered.shape == waveform.shape
    magnitude = canvas.magnitude(values, context)
    if canvas_config in (GAINS, MIXTURE, GAINS_AND_NOISE, WAVEFORM):
        np.testing.assert_allclose(rendered, waveform, atol=1e-5)  # float32 through an STFT
        assert magnitude is None
    else:
        if canvas_config not in (PGHI, PGHI_GRIFFIN_LIM):
            # The error is below the range of an image.
            assert error_db(rendered, waveform.numpy()) < -80
        expected = tf.abs(waveform_to_stft(waveform, STFT)).numpy()
        np.testing.assert_allclose(magnitude, expected, atol=1e-4 * expected.max())
    expected = canvas.frontend(waveform).numpy()
    difference = image_difference(canvas.view(values, context).numpy(), expected)
    # Near black, at −80 dB, float32 through an STFT and back moves a level by fractions of a dB.
    assert difference.max() < 0.01
    assert difference[expected > 0.25].max() < 1e-3


@each(*CANVASES)
def test_the_gradient_of_every_example_is_finite_and_silence_stays_silent(canvas_config, waveform):
    canvas = build(canvas_config)
    with_silence = tf.concat([waveform, tf.zeros((1, SAMPLES))], axis=0)
    context = canvas.analyze(with_silence)
    values = canvas.start(context)
    with tf.GradientTape() as tape:
        tape.watch(values)
        brightness = tf.reduce_sum(canvas.view(values, context) ** 2)
    gradient = tape.gradient(brightness, values).numpy()
    assert gradient.shape == values.shape
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0]).max() > 0
    assert np.abs(gradient[1]).max() > 0
    rendered = canvas.render(values, context)[2].numpy()
    assert np.abs(rendered).max() < 1e-7  # silence has a level of −200 dB


@each(*CANVASES)
def test_examples_of_a_batch_are_independent(canvas_config, waveform):
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    rng = np.random.default_rng(1)
    change = rng.normal(0, 0.3, values.shape[1:])
    changed = values + tf.constant(np.stack([0 * change, change]), tf.float32)
    for output in (canvas.view, canvas.render):
        before, after = output(values, context), output(changed, context)
        # Griffin–Lim's transforms may be batched in another order: parts in 10⁷.
        np.testing.assert_allclose(after[0], before[0], atol=1e-6)
        assert np.abs(after[1] - before[1]).max() > 1e-3


@each(*CANVASES)
def test_a_rendered_waveform_can_be_the_next_original(canvas_config, waveform):
    """The setting `repeats` does this."""
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    rng = np.random.default_rng(1)
    values = canvas.start(context)
    values += tf.constant(rng.normal(0, 0.1, values.shape), tf.float32)
    rendered = canvas.render(values, context)
    again = canvas.analyze(rendered)
    assert canvas.start(again).shape == values.shape
    image = canvas.view(canvas.start(again), again).numpy()
    difference = image_difference(image, canvas.frontend(rendered).numpy())
    np.testing.assert_allclose(difference[..., 0], 0, atol=0.01)


# Gains


@pytest.fixture
def cells(monkeypatch):
    """Let a canvas of gains render its STFT, before the inverse STFT projects it."""
    monkeypatch.setattr(gains, "stft_to_waveform", lambda stft, spec, samples: stft)


@WITH_CELL_GAINS
def test_gains_reach_their_bound_and_never_exceed_it(canvas_config, waveform):
    for bound_db in (0.5, 6.0, 20.0):
        canvas = build(canvas_config | {"bound_db": bound_db})
        context = canvas.analyze(waveform)
        for sign in (-1, 1):
            # The same gain everywhere scales the waveform.
            rendered = canvas.render(gains_alone(canvas, context, sign * 1e6), context)
            bound = 10 ** (sign * bound_db / 20)
            np.testing.assert_allclose(rendered, bound * waveform, atol=1e-5 * max(bound, 1))


@WITH_CELL_GAINS
def test_a_small_gain_is_in_decibels(canvas_config, waveform):
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    rendered = canvas.render(gains_alone(canvas, context, 0.1), context)
    # tanh bends 0.1 dB of 6 by a ten-thousandth of itself.
    np.testing.assert_allclose(rendered, 10 ** (0.1 / 20) * waveform, atol=1e-5)


def gains_alone(canvas, context, gain):
    """The same gain everywhere without additions."""
    values = tf.fill(context["stft"].shape, gain)
    if canvas.start(context).shape.rank == 3:
        return values
    return tf.stack([values, 0 * values, 0 * values], axis=-1)


@WITH_CELL_GAINS
def test_gains_leave_silence_silent(canvas_config, waveform):
    canvas = build(canvas_config)
    half = tf.concat([waveform[:, : SAMPLES // 2], tf.zeros((2, SAMPLES // 2))], axis=1)
    context = canvas.analyze(half)
    rng = np.random.default_rng(1)
    values = tf.constant(rng.normal(0, 100, canvas.start(context).shape), tf.float32)
    rendered = canvas.render(values, context).numpy()
    # After the last sound: a window, and for additions the 0.05 s of a neighborhood (rounded to
    # hops) with the window of the cell there.
    reach = 512 if canvas_config is GAINS else 512 + 3 * 128 + 256
    silent = slice(SAMPLES // 2 + reach, None)
    assert np.abs(rendered[:, : SAMPLES // 2]).max() > 0.1
    assert np.abs(rendered[:, silent]).max() < 1e-7


@WITH_CELL_GAINS
def test_gains_do_not_boost_cells_below_their_limit(canvas_config, waveform, cells):
    """Cells more than 20 dB below the loudest cannot become louder."""
    canvas = build(canvas_config | {"boost_above_db": -20.0})
    context = canvas.analyze(waveform[:1])
    size = np.abs(context["stft"].numpy())
    level = 20 * np.log10(size / size.max())
    for sign in (-1, 1):
        gained = canvas.render(gains_alone(canvas, context, sign * 1e6), context)
        gain_db = 20 * np.log10(np.abs(gained) / size)
        soft, loud = level < -20 - 3.01, level > -20 + 3.01  # the border is 6 dB wide
        np.testing.assert_allclose(gain_db[loud], sign * 6.0, atol=1e-3)
        np.testing.assert_allclose(gain_db[soft], min(sign * 6.0, 0.0), atol=1e-3)


@WITH_CELL_GAINS
def test_blurred_gains_are_smooth_and_within_their_bound(canvas_config, waveform, cells):
    rng = np.random.default_rng(0)
    rough = []
    for blurred in ({}, {"blur_seconds": 0.03, "blur_hz": 30.0}):
        canvas = build(canvas_config | blurred)
        context = canvas.analyze(waveform)
        values = tf.constant(rng.normal(0, 100, context["stft"].shape), tf.float32)
        if canvas_config is MIXTURE:
            values = tf.stack([values, 0 * values, 0 * values], axis=-1)
        gained = canvas.render(values, context)
        gain_db = 20 * np.log10(np.abs(gained) / np.abs(context["stft"]))
        assert np.abs(gain_db).max() < 6.0 + 1e-3
        rough.append([np.abs(np.diff(gain_db, axis=axis)).mean() for axis in (1, 2)])
    # Standard deviations of about two cells along both axes.
    assert (np.array(rough[1]) < 0.3 * np.array(rough[0])).all()


# Mixtures


def additions(canvas, context, real, imaginary):
    """The complex numbers that a mixture adds to the cells of the STFT for these values."""
    values = tf.stack([tf.zeros_like(real), real, imaginary], axis=-1)
    return (canvas.render(values, context) - context["stft"]).numpy()


def test_additions_stay_below_their_limit(waveform, cells):
    for added_db in (-20.0, 0.0, 6.0):
        canvas = build(
            MIXTURE | {"added_db": added_db, "neighborhood_seconds": 0, "neighborhood_hz": 0}
        )
        context = canvas.analyze(waveform)
        size = np.abs(context["stft"].numpy())
        rng = np.random.default_rng(0)
        real, imaginary = tf.constant(rng.normal(0, 1e3, (2, *size.shape)), tf.float32)
        # Without a neighborhood the limit is relative to the cell itself; float32 of their sum.
        limit = size * 10 ** (added_db / 20)
        added = np.abs(additions(canvas, context, real, imaginary))
        assert (added <= limit + 1e-5 * size).all()
        # Values far beyond the bound add nearly the limit.
        assert np.median(added / limit) > 0.99


def test_small_values_add_their_share_of_the_limit_in_their_direction(waveform, cells):
    canvas = build(MIXTURE)
    context = canvas.analyze(waveform)
    small = tf.fill(context["stft"].shape, 0.06)  # a hundredth of the bound of 6
    added = additions(canvas, context, small, -2 * small)
    expected = context["limit"].numpy() * (0.01 - 0.02j)
    size = np.abs(context["stft"]).max()
    # The bound bends (0.01, −0.02) by parts in 4000; float32 of a sum with the loudest cell.
    np.testing.assert_allclose(added, expected, rtol=1e-3, atol=1e-6 * size)


def test_the_limit_of_additions_is_high_near_loud_cells(cells):
    """The limit of a tone that begins in the middle is high around its bin and its attack."""
    stft = StftSpec(**CANVAS_STFT)
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * SAMPLES) / RATE)
    tone[:SAMPLES] = 0
    canvas = build(
        MIXTURE | {"neighborhood_hz": 100, "neighborhood_seconds": 0.05, "added_db": -20},
        samples=2 * SAMPLES,
    )
    context = canvas.analyze(tf.constant(tone[np.newaxis], tf.float32))
    limit = context["limit"][0].numpy()
    hz = np.arange(stft.bins) * RATE / stft.n_fft
    late = limit[55]  # of 63 frames, long after the attack
    loudest = np.abs(context["stft"][0, 55]).max()
    near = np.abs(hz - 1000) <= 100 - RATE / stft.n_fft  # a neighborhood is rounded to bins
    np.testing.assert_allclose(late[near], loudest / 10, rtol=1e-3)
    assert late[np.abs(hz - 1000) > 500].max() < 1e-3 * loudest
    start = SAMPLES // stft.hop_samples
    # The attack's frame, and before it the half window and 0.05 s, which are 3 hops.
    assert limit[start - 2].max() > 0.01 * loudest
    assert limit[: start - 2 - 3 - 1].max() < 1e-6 * loudest


def test_mixtures_add_energy_where_gains_have_none_to_change(waveform):
    """Beside a pure tone gains can only change the leakage of its window."""
    seconds = np.arange(SAMPLES) / RATE
    tone = tf.constant(0.5 * np.sin(2 * np.pi * 1000 * seconds)[np.newaxis], tf.float32)
    rng = np.random.default_rng(0)
    changes = []
    for canvas_config in (GAINS, MIXTURE):
        canvas = build(canvas_config)
        context = canvas.analyze(tone)
        values = tf.constant(rng.normal(0, 30, canvas.start(context).shape), tf.float32)
        power = tf.abs(waveform_to_stft(canvas.render(values, context), STFT))[0] ** 2
        beside = np.abs(np.arange(STFT.bins) * RATE / STFT.n_fft - 1000)
        # Outside the tone's main lobe (62 Hz), within the neighborhood of 100 Hz and a window.
        changes.append(power.numpy()[10:-10, (beside > 90) & (beside < 160)].mean())
    assert changes[1] > 3 * changes[0]


# Gains and noise


def test_noise_supplies_what_gains_may_not(waveform):
    """In white noise, all cells have about the power of their neighborhoods."""
    white = waveform[1:]
    power_before = float(tf.reduce_mean(white**2))
    for gain_db in (-30.0, 3.0, 6.0, 12.0, 24.0):
        canvas = build(GAINS_AND_NOISE | {"bound_db": 1e4})
        context = canvas.analyze(white)
        rendered = canvas.render(tf.fill(context["stft"].shape, gain_db), context)
        rise_db = 10 * np.log10(float(tf.reduce_mean(rendered**2)) / power_before)
        assert rise_db == pytest.approx(gain_db, abs=0.5)
        gained = canvas.render(tf.fill(context["stft"].shape, min(gain_db, 6.0)), context)
        assert np.allclose(rendered, gained, atol=1e-6) == (gain_db <= 6)


def test_noise_fills_gaps_above_the_floor():
    """A gap in a tone gets noise of the floor's level plus the gain."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLES) / RATE)
    tone[SAMPLES // 2 :] = 0
    canvas = build(GAINS_AND_NOISE | {"bound_db": 1e4, "floor_db": -60})
    context = canvas.analyze(tf.constant(tone[np.newaxis], tf.float32))
    loudest = float(tf.reduce_max(tf.abs(context["stft"])))
    changed = canvas.render(tf.fill(context["stft"].shape, 40.0), context)
    late = tf.abs(waveform_to_stft(changed, StftSpec(**CANVAS_STFT)))[0, 24:30].numpy()
    assert 20 * np.log10(np.sqrt((late**2).mean()) / loudest) == pytest.approx(-20, abs=1)


def test_the_noise_of_tiles_is_aligned_late_in_a_file(waveform):
    canvas = build(GAINS_AND_NOISE)
    starts = np.array([100_000_001, 100_000_001 + SAMPLES])
    context = canvas.analyze(waveform, tf.constant(starts / RATE, tf.float64))
    expected = gains_and_noise.white_noise(tf.constant(starts, tf.int64), SAMPLES)
    stft = waveform_to_stft(expected, StftSpec(**CANVAS_STFT)).numpy()
    np.testing.assert_allclose(np.angle(context["noise"] / stft), 0, atol=1e-3)


def test_a_frontend_with_a_level_is_viewed_at_that_level(waveform):
    frontend = build_frontend("log1p", stft=STFT.model_dump(), level_dbfs=-20)
    canvas = build(ORIGINAL_PHASE, frontend)
    context = canvas.analyze(0.05 * waveform)
    values = canvas.start(context)
    view = canvas.view(values, context)
    np.testing.assert_allclose(view, frontend(0.05 * waveform), atol=1e-4)
    np.testing.assert_allclose(canvas.render(values, context), 0.05 * waveform, atol=1e-4)


def test_noise_depends_on_the_position_in_the_file_alone():
    starts = tf.constant([0, 1000, 100_000_000], tf.int64)
    noise = gains_and_noise.white_noise(starts, SAMPLES).numpy()
    np.testing.assert_array_equal(noise[0, 1000:], noise[1, :-1000])
    assert noise.std(axis=1) == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(noise[0], noise[2])[0, 1]) < 0.06


# Levels and phases


@each("original phase", "level and phase")
def test_levels_are_limited_to_the_headroom_above_the_loudest_cell(canvas_config, waveform):
    loudest = tf.reduce_max(tf.abs(waveform_to_stft(waveform, STFT)), axis=[1, 2], keepdims=True)
    for headroom_db in (0.0, 6.0):
        canvas = build(canvas_config | {"headroom_db": headroom_db})
        context = canvas.analyze(waveform)
        magnitude = canvas.magnitude(tf.fill(canvas.start(context).shape, 1e3), context)
        highest = loudest * 10 ** (headroom_db / 20)
        # Through decibels and back in float32.
        np.testing.assert_allclose(magnitude, highest * tf.ones_like(magnitude), rtol=1e-4)


@each("original phase", "level and phase")
def test_levels_without_headroom_have_no_bound(canvas_config, waveform):
    canvas = build(canvas_config | {"headroom_db": None})
    context = canvas.analyze(waveform)
    values = canvas.start(context) + 40.0  # dB, and as many phase units: half a turn
    expected = 100 * canvas.magnitude(canvas.start(context), context)
    np.testing.assert_allclose(canvas.magnitude(values, context), expected, rtol=1e-3)


def test_a_change_of_phase_preserves_the_magnitude(waveform):
    canvas = build(PHASE)
    context = canvas.analyze(waveform)
    rng = np.random.default_rng(0)
    values = canvas.start(context)
    values += tf.constant(rng.normal(0, 20, values.shape), tf.float32)
    expected = tf.abs(waveform_to_stft(waveform, STFT)).numpy()
    # Through decibels and back in float32.
    np.testing.assert_allclose(
        canvas.magnitude(values, context), expected, rtol=1e-4, atol=1e-6 * expected.max()
    )


@each("phase", "level and phase")
def test_80_units_of_phase_are_a_turn(canvas_config, waveform):
    """80 units then are the whole range of the image, like 80 dB of level."""
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    turn = np.array([0.0, 80.0], np.float32) if canvas_config is LEVEL_AND_PHASE else np.float32(80)
    for output in (canvas.view, canvas.render):
        before, after = (output(each, context).numpy() for each in (values, values + turn))
        assert image_difference(after, before).max() < 1e-4  # float32 of radians beyond a turn
    # Half a turn everywhere inverts the polarity.
    half = canvas.render(values + turn / 2, context)
    np.testing.assert_allclose(half, -canvas.render(values, context), atol=1e-4)


def test_a_change_of_level_preserves_the_phase(waveform):
    canvas = build(LEVEL_AND_PHASE | {"headroom_db": None})
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    louder = canvas.render(values + np.array([6.0, 0.0], np.float32), context)
    # The error is below the range of the image.
    assert error_db(louder.numpy(), 10 ** (6 / 20) * waveform.numpy()) < -80


def convergence_db(canvas, waveform):
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    expected = canvas.magnitude(values, context)
    error, energy = spectral_error(canvas.render(values, context), expected, STFT)
    return energy_db(float(error[0]), float(energy[0]))


def test_griffin_lim_reduces_the_error_of_an_integrated_phase(waveform):
    chord = waveform[:1]
    integrated, improved, random = (
        convergence_db(build(canvas_config), chord)
        for canvas_config in (PGHI, PGHI_GRIFFIN_LIM, levels(init="random", iterations=4))
    )
    # A random phase has an error of about −5 dB, which four iterations reduce a little.
    assert integrated < -15
    assert improved < integrated
    assert improved < random


def test_griffin_lim_reduces_the_error_of_an_inconsistent_spectrogram(waveform):
    rng = np.random.default_rng(0)
    errors = []
    for canvas_config in (ORIGINAL_PHASE, levels(iterations=16)):
        canvas = build(canvas_config)
        context = canvas.analyze(waveform)
        values = canvas.start(context)
        values += tf.constant(rng.normal(0, 6, values.shape), tf.float32)
        expected = canvas.magnitude(values, context)
        error, energy = spectral_error(canvas.render(values, context), expected, STFT)
        errors.append(energy_db(float(error[1]), float(energy[1])))
    assert errors[1] < errors[0] - 1


def test_the_original_phase_is_preserved(waveform):
    canvas = build(ORIGINAL_PHASE)
    context = canvas.analyze(waveform)
    values = canvas.start(context) - 3.0
    stft = waveform_to_stft(waveform, STFT)
    expected = stft_to_waveform(stft * 10 ** (-3 / 20), STFT, SAMPLES)
    assert error_db(canvas.render(values, context).numpy(), expected.numpy()) < -80


# Frontends of each canvas


def check_view(canvas, waveform):
    context = canvas.analyze(waveform)
    image = canvas.view(canvas.start(context), context)
    assert image.shape == (2, *canvas.frontend.shape(SAMPLES))


def test_canvases_of_waveforms_accept_any_frontend(waveform):
    shown = [build_frontend(kind) for kind in ("raw", *SPECTROGRAMS)]
    shown.append(build_frontend("constant_q", min_hz=110, octaves=4, hop_samples=64))
    for frontend in shown:
        for canvas_config in (GAINS, MIXTURE, WAVEFORM):
            check_view(build(canvas_config, frontend), waveform)


SHOWING = {
    "level": {"amplitude", "amplitude_phase", "log1p", "magnitude", "mel", "log_mel"},
    "phase": {"phase", "amplitude_phase"},
}


@pytest.mark.parametrize(
    ("canvas_config", "parts"),
    [(ORIGINAL_PHASE, ["level"]), (PHASE, ["phase"]), (LEVEL_AND_PHASE, ["level", "phase"])],
    ids=["level", "phase", "both"],
)
def test_the_frontend_must_show_what_the_canvas_changes(canvas_config, parts, waveform):
    for kind in ("raw", *SPECTROGRAMS):
        if all(kind in SHOWING[part] for part in parts):
            check_view(build(canvas_config, build_frontend(kind)), waveform)
            continue
        reason = (
            "spectrograms" if kind == "raw" else f"which is not part of the model's input.*{kind}"
        )
        message = rf"canvas.kind={canvas_config['kind']} .*{reason}.*kind=gains"
        with pytest.raises(ConfigError, match=message):
            build(canvas_config, build_frontend(kind))


def test_a_frontend_without_a_gradient_is_an_error():
    config = validate({"frontend": {"kind": "features"}}, FrontendSection, "test").frontend
    with pytest.raises(ConfigError, match="no gradient with respect to the waveform"):
        build(GAINS, frontends.build(config, RATE))


@OF_WAVEFORMS
def test_the_view_excludes_frequencies_that_resampling_removes(canvas_config, waveform):
    """Resampling to the rate of the file removes a change near half the network's rate."""
    views = {}
    for passband in (None, 1.0):
        canvas = build(canvas_config, passband=passband)
        context = canvas.analyze(waveform)
        values = canvas.start(context)
        change = np.zeros(values.shape, np.float32)
        if canvas_config is WAVEFORM:
            change += 0.05 * np.cos(np.pi * np.arange(SAMPLES))  # the highest frequency
        elif canvas_config is MIXTURE:
            change[:, :, -2:, 0] = 6
        else:
            change[:, :, -2:] = 6
        before, after = (canvas.view(each, context)[1] for each in (values, values + change))
        views[passband] = np.abs(after - before)[-2:].max()
    assert views[None] > 0.03  # 2 of 80 dB
    # A window of 64 ms is not a sharp filter: a part of the change is in lower bands.
    assert views[1.0] < 0.05 * views[None]


def test_the_view_excludes_frequencies_above_those_of_a_file_of_a_lower_rate(waveform):
    """A file at half the network's rate has no frequencies above 2 kHz."""
    canvas = build(WAVEFORM, build_frontend("raw"), passband=0.5)
    context = canvas.analyze(waveform)
    seconds = np.arange(SAMPLES) / RATE
    for hz, passes in ((1000, True), (2500, False)):
        change = 0.1 * np.sin(2 * np.pi * hz * seconds, dtype=np.float32)
        difference = (canvas.view(waveform + change, context) - canvas.frontend(waveform)).numpy()
        expected = change if passes else 0 * change
        np.testing.assert_allclose(difference[0].ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["log_magnitude", "picture"])
def test_random_phases_depend_on_the_seed(kind, waveform):
    phase = {"init": "random", "iterations": 0}
    rendered = []
    for seed in (1, 1, 2):
        canvas = build({"kind": kind, "phase": phase}, seed=seed)
        context = canvas.analyze(waveform)
        rendered.append(canvas.render(canvas.start(context), context).numpy())
    assert np.array_equal(rendered[0], rendered[1])
    assert np.abs(rendered[0] - rendered[2]).max() > 0.01


# Given gains


@each("gains", "mixture", "original phase")
def test_gains_of_0_db_leave_the_original_unchanged(canvas_config, waveform):
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    cells = values.shape[:3]
    unchanged = canvas.gains_to_values(tf.zeros(cells), context)
    assert unchanged.shape == values.shape
    np.testing.assert_allclose(unchanged, values, atol=1e-5)


@each("gains", "mixture", "original phase")
def test_given_gains_scale_the_waveform(canvas_config, waveform):
    """The tanh of gains bends them towards their bound, which is 6 dB here."""
    bent = canvas_config is not ORIGINAL_PHASE
    canvas = build(canvas_config if bent else ORIGINAL_PHASE | {"headroom_db": None})
    context = canvas.analyze(waveform)
    cells = canvas.start(context).shape[:3]
    for gain_db in (3.0, -3.0):
        rendered = canvas.render(canvas.gains_to_values(tf.fill(cells, gain_db), context), context)
        expected_db = 6 * np.tanh(gain_db / 6) if bent else gain_db
        np.testing.assert_allclose(
            rendered, waveform * 10 ** (expected_db / 20), atol=1e-4 * float(np.max(waveform))
        )


def test_given_gains_are_limited_to_the_headroom(waveform):
    canvas = build(ORIGINAL_PHASE)
    context = canvas.analyze(waveform)
    raised = canvas.gains_to_values(tf.fill(context["level"].shape, 12.0), context)
    loudest = np.abs(waveform_to_stft(waveform, STFT)).max(axis=(1, 2))
    magnitude = canvas.magnitude(raised, context).numpy()
    np.testing.assert_allclose(magnitude.max(axis=(1, 2)), loudest, rtol=1e-4)


def test_gains_raise_black_cells_from_the_black_level(waveform):
    """A cell 120 dB below the loudest rises from 80 dB below it, where black begins."""
    canvas = build(ORIGINAL_PHASE)
    seconds = np.arange(SAMPLES) / RATE
    tone = tf.constant(0.5 * np.sin(2 * np.pi * 1000 * seconds)[np.newaxis], tf.float32)
    context = canvas.analyze(tone)
    level = context["level"]
    black = tf.reduce_max(level) - canvas.frontend.config.top_db
    gain_db = tf.fill(level.shape, 10.0)
    raised = canvas.gains_to_values(gain_db, context)
    np.testing.assert_allclose(raised, np.maximum(level, black) + 10, rtol=1e-5)
    assert np.any(level < black)
    lowered = canvas.gains_to_values(-gain_db, context)
    np.testing.assert_allclose(lowered, level - 10, rtol=1e-5)
    original = canvas.frontend(tone).numpy()
    rise = (canvas.view(raised, context) - original)[original < 0.8]
    np.testing.assert_allclose(rise, 10 / canvas.frontend.config.top_db, atol=1e-3)


@each("waveform", "phase", "level and phase")
def test_a_canvas_of_waveform_or_phase_takes_no_gains(canvas_config, waveform):
    canvas = build(canvas_config)
    context = canvas.analyze(waveform)
    with pytest.raises(
        ConfigError, match=rf"kind={canvas_config['kind']} has no levels .*log_magnitude"
    ):
        canvas.gains_to_values(tf.zeros((2, 1, 1)), context)


def test_levels_that_are_not_in_db_take_no_gains(waveform):
    canvas = build(ORIGINAL_PHASE, build_frontend("log1p"))
    with pytest.raises(ConfigError, match="has no levels"):
        canvas.gains_to_values(tf.zeros((2, 1, 1)), canvas.analyze(waveform))
