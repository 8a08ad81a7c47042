import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import AnyFrontend, Config, DreamConfig, StftSpec, validate
from tfdream.errors import ConfigError
from tfdream.signal import frontends
from tfdream.signal.phase import energy_db, spectral_error
from tfdream.signal.stft import stft_to_waveform, waveform_to_stft
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import CanvasSpec, gains

SAMPLES = 4000
RATE = 8000
STFT = StftSpec(n_fft=256, hop_samples=64)
OWN_STFT = {"n_fft": 512, "hop_samples": 128}
SPECTROGRAMS = ("amplitude", "phase", "amplitude_phase", "log1p", "mel")


def levels(**phase):
    return {"kind": "log_magnitude", "phase": phase}


GAINS = {"kind": "gains", "bound_db": 6.0, "stft": OWN_STFT}
MIXTURE = {"kind": "mixture", "bound_db": 6.0, "stft": OWN_STFT}
WAVEFORM = {"kind": "waveform"}
OLD_PHASE = levels(iterations=0)
MENDED = levels(iterations=4)
INTEGRATED = levels(init="pghi", iterations=0)
BOTH = levels(init="pghi", iterations=4)
PHASE = {"kind": "phase"}
LEVEL_AND_PHASE = {"kind": "log_magnitude_phase"}

NAMED = {
    "gains": GAINS,
    "mixture": MIXTURE,
    "waveform": WAVEFORM,
    "old phase": OLD_PHASE,
    "mended": MENDED,
    "integrated": INTEGRATED,
    "both": BOTH,
    "phase": PHASE,
    "level and phase": LEVEL_AND_PHASE,
}


def kinds(*names):
    return pytest.mark.parametrize("kind", [NAMED[name] for name in names], ids=names)


EVERY = kinds(*NAMED)
# Those that are viewed as they sound, and can be shown to any frontend.
HEARD = kinds("gains", "mixture", "waveform")
KEEPS_PHASE = kinds("old phase", "mended", "phase", "level and phase")


class Shown(Config):
    frontend: AnyFrontend


def frontend(kind="amplitude"):
    settings = {"kind": kind} | ({} if kind == "raw" else {"stft": STFT.model_dump()})
    return frontends.build(validate({"frontend": settings}, Shown, "test").frontend, RATE)


def build(kind, shown=None, samples=SAMPLES):
    """A canvas, seen through a frontend that shows what it moves."""
    if shown is None:
        shown = frontend("amplitude_phase" if "phase" in kind["kind"] else "amplitude")
    config = validate({"canvas": kind}, DreamConfig, "test").canvas
    return canvases.build(config, CanvasSpec(shown, samples, RATE))


@pytest.fixture(scope="module")
def waveform():
    """A chord with a little noise, and noise."""
    rng = np.random.default_rng(0)
    seconds = np.arange(SAMPLES) / RATE
    chord = np.sin(2 * np.pi * np.array([[220], [277], [1330]]) * seconds).sum(axis=0) / 5
    both = np.stack([chord, np.zeros(SAMPLES)]) + rng.uniform(-1, 1, (2, SAMPLES)) * [[0.01], [0.3]]
    return tf.constant(both, tf.float32)


def noise_db(found, wanted):
    """The level of what is wrong, below what is wanted."""
    return 10 * np.log10(np.sum((found - wanted) ** 2) / np.sum(wanted**2))


def distance_to(seen, wanted):
    """How far two pictures are from each other, channel by channel; phases on their circle."""
    difference = np.abs(seen - wanted)
    if wanted.shape[-1] == 2:
        difference[..., 1] = np.minimum(difference[..., 1], 1 - difference[..., 1])
    return difference


# Contracts of every canvas


@HEARD
def test_the_start_renders_the_samples_of_the_original(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    rendered = canvas.render(canvas.start(context), context)
    assert rendered.shape == waveform.shape
    np.testing.assert_allclose(rendered, waveform, atol=1e-5)  # float32 through an STFT and back


@KEEPS_PHASE
def test_the_start_of_a_picture_renders_the_original_below_what_an_image_shows(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    rendered = canvas.render(canvas.start(context), context)
    assert noise_db(rendered.numpy(), waveform.numpy()) < -80


@EVERY
def test_the_start_looks_like_the_original(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    seen = canvas.view(canvas.start(context), context).numpy()
    wanted = canvas.frontend(waveform).numpy()
    difference = distance_to(seen, wanted)
    # Near black, 80 dB down, float32 through an STFT and back moves a level by parts of a dB.
    assert difference.max() < 0.01
    assert difference[wanted > 0.25].max() < 1e-3


@EVERY
def test_the_start_wants_the_spectrum_of_the_original(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    magnitude = canvas.magnitude(canvas.start(context), context)
    if kind in (GAINS, MIXTURE, WAVEFORM):  # what is seen is what is heard
        assert magnitude is None
        return
    wanted = tf.abs(waveform_to_stft(waveform, STFT)).numpy()
    np.testing.assert_allclose(magnitude, wanted, atol=1e-4 * wanted.max())


@EVERY
def test_the_gradient_reaches_every_example_and_stays_finite(kind, waveform):
    canvas = build(kind)
    silent = tf.concat([waveform, tf.zeros((1, SAMPLES))], axis=0)
    context = canvas.analyze(silent)
    values = canvas.start(context)
    with tf.GradientTape() as tape:
        tape.watch(values)
        brightness = tf.reduce_sum(canvas.view(values, context) ** 2)
    gradient = tape.gradient(brightness, values).numpy()
    assert gradient.shape == values.shape
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0]).max() > 0
    assert np.abs(gradient[1]).max() > 0


@EVERY
def test_silence_stays_silent(kind):
    canvas = build(kind)
    context = canvas.analyze(tf.zeros((1, SAMPLES)))
    rendered = canvas.render(canvas.start(context), context).numpy()
    assert np.abs(rendered).max() < 1e-7  # a level of −200 dB stands for nothing


@EVERY
def test_examples_of_a_batch_do_not_touch_each_other(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    rng = np.random.default_rng(1)
    change = rng.normal(0, 0.3, values.shape[1:])
    changed = values + tf.constant(np.stack([0 * change, change]), tf.float32)
    for look in (canvas.view, canvas.render):
        before, after = look(values, context), look(changed, context)
        # Griffin–Lim's transforms may be batched in another order: parts in 10⁷.
        np.testing.assert_allclose(after[0], before[0], atol=1e-6)
        assert np.abs(after[1] - before[1]).max() > 1e-3


@EVERY
def test_what_is_rendered_can_be_the_next_original(kind, waveform):
    """As `repeats` does it: the canvas begins anew with what it has made."""
    canvas = build(kind)
    context = canvas.analyze(waveform)
    rng = np.random.default_rng(1)
    values = canvas.start(context)
    values += tf.constant(rng.normal(0, 0.1, values.shape), tf.float32)
    rendered = canvas.render(values, context)
    again = canvas.analyze(rendered)
    assert canvas.start(again).shape == values.shape
    seen = canvas.view(canvas.start(again), again)
    np.testing.assert_allclose(
        distance_to(seen.numpy(), canvas.frontend(rendered).numpy())[..., 0], 0, atol=0.01
    )


# Gains


@pytest.fixture
def cells(monkeypatch):
    """Lets a canvas of gains render its STFT itself, before the inverse loses half of it."""
    monkeypatch.setattr(gains, "stft_to_waveform", lambda stft, spec, samples: stft)


@kinds("gains", "mixture")
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("bound_db", [0.5, 6.0, 20.0])
def test_gains_reach_their_bound_and_never_exceed_it(kind, waveform, sign, bound_db):
    canvas = build(kind | {"bound_db": bound_db})
    context = canvas.analyze(waveform)
    # The same gain everywhere scales the sound: the gain can be read off.
    everywhere = gains_alone(canvas, context, sign * 1e6)
    rendered = canvas.render(everywhere, context)
    bound = 10 ** (sign * bound_db / 20)
    np.testing.assert_allclose(rendered, bound * waveform, atol=1e-5 * max(bound, 1))


@kinds("gains", "mixture")
def test_a_small_gain_is_as_many_decibels(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    rendered = canvas.render(gains_alone(canvas, context, 0.1), context)
    # tanh bends 0.1 dB of 6 by a ten-thousandth of itself.
    np.testing.assert_allclose(rendered, 10 ** (0.1 / 20) * waveform, atol=1e-5)


def gains_alone(canvas, context, gain):
    """The same gain everywhere; nothing is added."""
    values = tf.fill(context["stft"].shape, gain)
    if canvas.start(context).shape.rank == 3:
        return values
    return tf.stack([values, 0 * values, 0 * values], axis=-1)


@kinds("gains", "mixture")
def test_nothing_is_added_where_there_was_nothing(kind, waveform):
    canvas = build(kind)
    half = tf.concat([waveform[:, : SAMPLES // 2], tf.zeros((2, SAMPLES // 2))], axis=1)
    context = canvas.analyze(half)
    rng = np.random.default_rng(1)
    values = tf.constant(rng.normal(0, 100, canvas.start(context).shape), tf.float32)
    rendered = canvas.render(values, context).numpy()
    # Behind the last sound: a window, and for what is added the 0.05 s that a neighborhood reaches
    # (rounded to hops) with the window of the cell there.
    reach = 512 if kind is GAINS else 512 + 3 * 128 + 256
    silent = slice(SAMPLES // 2 + reach, None)
    assert np.abs(rendered[:, : SAMPLES // 2]).max() > 0.1
    assert np.abs(rendered[:, silent]).max() < 1e-7


@kinds("gains", "mixture")
def test_soft_cells_are_not_brought_forward_if_they_shall_not(kind, waveform, cells):
    """Noise 20 dB below the loudest cell gets softer at most; loud cells do as they like."""
    canvas = build(kind | {"boost_above_db": -20.0})
    context = canvas.analyze(waveform[:1])
    size = np.abs(context["stft"].numpy())
    level = 20 * np.log10(size / size.max())
    for sign in (-1, 1):
        gained = canvas.render(gains_alone(canvas, context, sign * 1e6), context)
        gain_db = 20 * np.log10(np.abs(gained) / size)
        soft, loud = level < -20 - 3.01, level > -20 + 3.01  # the border is 6 dB wide
        np.testing.assert_allclose(gain_db[loud], sign * 6.0, atol=1e-3)
        np.testing.assert_allclose(gain_db[soft], min(sign * 6.0, 0.0), atol=1e-3)


@kinds("gains", "mixture")
def test_blurred_gains_are_smooth_and_keep_their_bound(kind, waveform, cells):
    rng = np.random.default_rng(0)
    rough = []
    for blurred in ({}, {"blur_seconds": 0.03, "blur_hz": 30.0}):
        canvas = build(kind | blurred)
        context = canvas.analyze(waveform)
        values = tf.constant(rng.normal(0, 100, context["stft"].shape), tf.float32)
        values = values if kind is GAINS else tf.stack([values, 0 * values, 0 * values], axis=-1)
        gained = canvas.render(values, context)
        gain_db = 20 * np.log10(np.abs(gained) / np.abs(context["stft"]))
        assert np.abs(gain_db).max() < 6.0 + 1e-3
        rough.append([np.abs(np.diff(gain_db, axis=axis)).mean() for axis in (1, 2)])
    # Standard deviations of about two cells along both axes.
    assert (np.array(rough[1]) < 0.3 * np.array(rough[0])).all()


# Mixtures


def added(canvas, context, real, imaginary):
    """What a mixture adds to the STFT's cells, of values that ask for so much."""
    values = tf.stack([tf.zeros_like(real), real, imaginary], axis=-1)
    return (canvas.render(values, context) - context["stft"]).numpy()


@pytest.mark.parametrize("added_db", [-20.0, 0.0, 6.0])
def test_what_is_added_stays_below_its_limit(waveform, cells, added_db):
    canvas = build(
        MIXTURE | {"added_db": added_db, "neighborhood_seconds": 0, "neighborhood_hz": 0}
    )
    context = canvas.analyze(waveform)
    size = np.abs(context["stft"].numpy())
    rng = np.random.default_rng(0)
    real, imaginary = tf.constant(rng.normal(0, 1e3, (2, *size.shape)), tf.float32)
    # Without a neighborhood the limit is relative to the cell itself; float32 of a sum with it.
    limit = size * 10 ** (added_db / 20)
    found = np.abs(added(canvas, context, real, imaginary))
    assert (found <= limit + 1e-5 * size).all()
    # Values far beyond the bound ask for nearly all that there is.
    assert np.median(found / limit) > 0.99


def test_small_values_add_as_much_as_they_say_in_their_direction(waveform, cells):
    canvas = build(MIXTURE)
    context = canvas.analyze(waveform)
    small = tf.fill(context["stft"].shape, 0.06)  # a hundredth of the bound of 6
    found = added(canvas, context, small, -2 * small)
    wanted = context["limit"].numpy() * (0.01 - 0.02j)
    size = np.abs(context["stft"]).max()
    # The bound bends (0.01, −0.02) by parts in 4000; float32 of a sum with the loudest cell.
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6 * size)


def test_room_for_new_sound_is_near_the_loudest_cell(cells):
    """A tone at 1000 Hz that begins in the middle has room around its bin and its attack."""
    stft = StftSpec(**OWN_STFT)
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
    near = np.abs(hz - 1000) <= 100 - RATE / stft.n_fft  # a reach is rounded to bins
    np.testing.assert_allclose(late[near], loudest / 10, rtol=1e-3)
    assert late[np.abs(hz - 1000) > 500].max() < 1e-3 * loudest
    start = SAMPLES // stft.hop_samples
    # The attack's frame, and before it the half window and 0.05 s, which are 3 hops.
    assert limit[start - 2].max() > 0.01 * loudest
    assert limit[: start - 2 - 3 - 1].max() < 1e-6 * loudest


def test_new_sound_can_be_where_gains_find_none(waveform):
    """White noise beside a pure chord: gains have only the traces of it to bring forward."""
    seconds = np.arange(SAMPLES) / RATE
    tone = tf.constant(0.5 * np.sin(2 * np.pi * 1000 * seconds)[np.newaxis], tf.float32)
    rng = np.random.default_rng(0)
    changes = []
    for kind in (GAINS, MIXTURE | {"bound_db": 6.0}):
        canvas = build(kind)
        context = canvas.analyze(tone)
        values = tf.constant(rng.normal(0, 30, canvas.start(context).shape), tf.float32)
        power = tf.abs(waveform_to_stft(canvas.render(values, context), STFT))[0] ** 2
        beside = np.abs(np.arange(STFT.bins) * RATE / STFT.n_fft - 1000)
        # Out of the tone's own main lobe (62 Hz), within the reach of 100 Hz and a window's width.
        changes.append(power.numpy()[10:-10, (beside > 90) & (beside < 160)].mean())
    assert changes[1] > 3 * changes[0]


# Levels and phases


@kinds("old phase", "level and phase")
@pytest.mark.parametrize("headroom_db", [0.0, 6.0])
def test_levels_stop_at_some_headroom_above_the_loudest_of_the_original(
    kind, waveform, headroom_db
):
    canvas = build(kind | {"headroom_db": headroom_db})
    context = canvas.analyze(waveform)
    magnitude = canvas.magnitude(tf.fill(canvas.start(context).shape, 1e3), context)
    loudest = tf.reduce_max(tf.abs(waveform_to_stft(waveform, STFT)), axis=[1, 2], keepdims=True)
    highest = loudest * 10 ** (headroom_db / 20)
    # Through decibels and back in float32.
    np.testing.assert_allclose(magnitude, highest * tf.ones_like(magnitude), rtol=1e-4)


@kinds("old phase", "level and phase")
def test_levels_without_headroom_have_no_bound(kind, waveform):
    canvas = build(kind | {"headroom_db": None})
    context = canvas.analyze(waveform)
    values = canvas.start(context) + 40.0  # dB, and as many phase units: half a turn
    wanted = 100 * canvas.magnitude(canvas.start(context), context)
    np.testing.assert_allclose(canvas.magnitude(values, context), wanted, rtol=1e-3)


def test_a_phase_that_moves_keeps_the_magnitude(waveform):
    canvas = build(PHASE)
    context = canvas.analyze(waveform)
    rng = np.random.default_rng(0)
    values = canvas.start(context)
    values += tf.constant(rng.normal(0, 20, values.shape), tf.float32)
    wanted = tf.abs(waveform_to_stft(waveform, STFT)).numpy()
    # Through decibels and back in float32.
    np.testing.assert_allclose(
        canvas.magnitude(values, context), wanted, rtol=1e-4, atol=1e-6 * wanted.max()
    )


@kinds("phase", "level and phase")
def test_80_units_of_phase_are_a_turn(kind, waveform):
    """So that they are as much of the image as 80 dB of level."""
    canvas = build(kind)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    turn = np.array([0.0, 80.0], np.float32) if kind is LEVEL_AND_PHASE else np.float32(80)
    for look in (canvas.view, canvas.render):
        whole = distance_to(look(values + turn, context).numpy(), look(values, context).numpy())
        assert whole.max() < 1e-4  # float32 of radians beyond a turn
    # Half a turn everywhere is the same sound upside down.
    half = canvas.render(values + turn / 2, context)
    np.testing.assert_allclose(half, -canvas.render(values, context), atol=1e-4)


def test_level_and_phase_move_on_their_own(waveform):
    canvas = build(LEVEL_AND_PHASE | {"headroom_db": None})
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    louder = canvas.render(values + np.array([6.0, 0.0], np.float32), context)
    # Within what the image shows of levels; the phase is as it was.
    assert noise_db(louder.numpy(), 10 ** (6 / 20) * waveform.numpy()) < -80


def convergence_db(canvas, waveform):
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    wanted = canvas.magnitude(values, context)
    error, energy = spectral_error(canvas.render(values, context), wanted, STFT)
    return energy_db(float(error[0]), float(energy[0]))


def test_an_integrated_phase_comes_near_the_spectrum_and_griffin_lim_nearer(waveform):
    chord = waveform[:1]
    integrated, both = (convergence_db(build(kind), chord) for kind in (INTEGRATED, BOTH))
    drawn = convergence_db(build(levels(init="random", iterations=4)), chord)
    # A phase drawn at random has an error of about −5 dB, and four rounds mend some of it.
    assert integrated < -15
    assert both < integrated
    assert both < drawn


def test_griffin_lim_mends_a_level_that_no_sound_has(waveform):
    rng = np.random.default_rng(0)
    errors = []
    for kind in (OLD_PHASE, levels(iterations=16)):
        canvas = build(kind)
        context = canvas.analyze(waveform)
        values = canvas.start(context)
        values += tf.constant(rng.normal(0, 6, values.shape), tf.float32)
        wanted = canvas.magnitude(values, context)
        error, energy = spectral_error(canvas.render(values, context), wanted, STFT)
        errors.append(energy_db(float(error[1]), float(energy[1])))
    assert errors[1] < errors[0] - 1


def test_the_old_phase_is_heard_as_it_was(waveform):
    canvas = build(OLD_PHASE)
    context = canvas.analyze(waveform)
    values = canvas.start(context) - 3.0
    stft = waveform_to_stft(waveform, STFT)
    expected = stft_to_waveform(stft * 10 ** (-3 / 20), STFT, SAMPLES)
    assert noise_db(canvas.render(values, context).numpy(), expected.numpy()) < -80


# What goes with which frontend


@HEARD
@pytest.mark.parametrize("shown", ["raw", *SPECTROGRAMS, "constant_q"])
def test_sound_can_be_shown_to_any_frontend(kind, shown, waveform):
    if shown == "constant_q":
        config = {"kind": shown, "min_hz": 110, "octaves": 4, "hop_samples": 64}
        seen_through = frontends.build(validate({"frontend": config}, Shown, "t").frontend, RATE)
    else:
        seen_through = frontend(shown)
    canvas = build(kind, seen_through)
    context = canvas.analyze(waveform)
    seen = canvas.view(canvas.start(context), context)
    assert seen.shape == (2, *canvas.frontend.shape(SAMPLES))


SHOWN = {
    "level": {"amplitude", "amplitude_phase", "log1p", "mel"},
    "phase": {"phase", "amplitude_phase"},
}


@pytest.mark.parametrize("shown", ["raw", *SPECTROGRAMS])
@pytest.mark.parametrize(
    ("kind", "parts"),
    [(OLD_PHASE, ["level"]), (PHASE, ["phase"]), (LEVEL_AND_PHASE, ["level", "phase"])],
    ids=["level", "phase", "both"],
)
def test_what_moves_must_be_seen(kind, parts, shown, waveform):
    fits = all(shown in SHOWN[part] for part in parts)
    if fits:
        canvas = build(kind, frontend(shown))
        context = canvas.analyze(waveform)
        seen = canvas.view(canvas.start(context), context)
        assert seen.shape == (2, *canvas.frontend.shape(SAMPLES))
        return
    missing = (
        "spectrograms" if shown == "raw" else f"which is not part of the model's input.*{shown}"
    )
    with pytest.raises(ConfigError, match=rf"canvas.kind={kind['kind']} .*{missing}.*kind=gains"):
        build(kind, frontend(shown))


def test_a_frontend_without_a_gradient_has_no_canvas():
    config = validate({"frontend": {"kind": "features"}}, Shown, "test").frontend
    with pytest.raises(ConfigError, match="no gradient with respect to the waveform"):
        build(GAINS, frontends.build(config, RATE))


@HEARD
def test_what_resampling_would_lose_is_left_out_of_the_view(kind, waveform):
    """A change near half the sample rate is heard only in a file of the network's own rate."""
    config = validate({"canvas": kind}, DreamConfig, "test").canvas
    views = {}
    for resampled in (False, True):
        canvas = canvases.build(config, CanvasSpec(frontend(), SAMPLES, RATE, resampled=resampled))
        context = canvas.analyze(waveform)
        values = canvas.start(context)
        change = np.zeros(values.shape, np.float32)
        if kind is WAVEFORM:
            change += 0.05 * np.cos(np.pi * np.arange(SAMPLES))  # alternating: the highest there is
        elif kind is MIXTURE:
            change[:, :, -2:, 0] = 6
        else:
            change[:, :, -2:] = 6
        before, after = (canvas.view(each, context)[1] for each in (values, values + change))
        views[resampled] = np.abs(after - before)[-2:].max()
    assert views[False] > 0.03  # 2 of 80 dB
    # A window of 64 ms is no sharp filter: traces of the change lie beneath the band's end.
    assert views[True] < 0.05 * views[False]


# Gains that somebody asks for


@kinds("gains", "mixture", "old phase")
def test_nothing_asked_for_leaves_the_original_as_it_is(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    cells = values.shape[:3]
    found = canvas.gains_to_values(tf.zeros(cells), context)
    assert found.shape == values.shape
    np.testing.assert_allclose(found, values, atol=1e-5)


@kinds("gains", "mixture", "old phase")
@pytest.mark.parametrize("gain_db", [3.0, -3.0])
def test_a_sound_gets_as_much_louder_as_is_asked_for(kind, waveform, gain_db):
    """A little less by gains: 6 dB is their bound here, which a hyperbolic tangent keeps to."""
    canvas = build(kind if kind is not OLD_PHASE else OLD_PHASE | {"headroom_db": None})
    context = canvas.analyze(waveform)
    cells = canvas.start(context).shape[:3]
    rendered = canvas.render(canvas.gains_to_values(tf.fill(cells, gain_db), context), context)
    wanted_db = gain_db if kind is OLD_PHASE else 6 * np.tanh(gain_db / 6)
    np.testing.assert_allclose(
        rendered, waveform * 10 ** (wanted_db / 20), atol=1e-4 * float(tf.reduce_max(waveform))
    )


def test_no_level_rises_above_the_headroom(waveform):
    canvas = build(OLD_PHASE)
    context = canvas.analyze(waveform)
    raised = canvas.gains_to_values(tf.fill(context["level"].shape, 12.0), context)
    loudest = np.abs(waveform_to_stft(waveform, STFT)).max(axis=(1, 2))
    found = canvas.magnitude(raised, context).numpy().max(axis=(1, 2))
    np.testing.assert_allclose(found, loudest, rtol=1e-4)


def test_what_is_black_rises_from_where_black_begins(waveform):
    """A cell 120 dB below the loudest is as black as one 80 dB below it, and rises from there."""
    canvas = build(OLD_PHASE)
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
    seen = canvas.view(raised, context) - canvas.frontend(tone)
    shown = canvas.frontend(tone).numpy() < 0.8
    np.testing.assert_allclose(seen[shown], 10 / canvas.frontend.config.top_db, atol=1e-3)


@kinds("waveform", "phase", "level and phase")
def test_a_canvas_without_levels_alone_takes_no_gains(kind, waveform):
    canvas = build(kind)
    context = canvas.analyze(waveform)
    with pytest.raises(ConfigError, match=rf"kind={kind['kind']} has no levels .*log_magnitude"):
        canvas.gains_to_values(tf.zeros((2, 1, 1)), context)


def test_levels_that_are_not_in_db_take_no_gains(waveform):
    canvas = build(OLD_PHASE, frontend("log1p"))
    with pytest.raises(ConfigError, match="has no levels"):
        canvas.gains_to_values(tf.zeros((2, 1, 1)), canvas.analyze(waveform))
