import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import DreamConfig, SpectrogramFrontendConfig, StftSpec, validate
from tfdream.errors import ConfigError
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import RawFrontend
from tfdream.signal.stft import waveform_to_stft
from tfdream.synthesis import canvas as canvases

SAMPLES = 4000
RATE = 8000
STFT = StftSpec(n_fft=256, hop_samples=64)

GAINS = {"kind": "gains", "bound_db": 6.0, "stft": {"n_fft": 512, "hop_samples": 128}}
WAVEFORM = {"kind": "waveform"}
OLD_PHASE = {"kind": "log_magnitude", "phase": "original"}
GRIFFIN_LIM = {"kind": "log_magnitude", "phase": "griffin_lim", "iterations": 4}
EVERY = pytest.mark.parametrize(
    "kind", [GAINS, WAVEFORM, OLD_PHASE, GRIFFIN_LIM], ids=["gains", "waveform", "old", "gl"]
)


def frontend(kind="amplitude"):
    return frontends.build(SpectrogramFrontendConfig(kind=kind, stft=STFT), RATE)


def build(kind, shown=None):
    config = validate({"canvas": kind}, DreamConfig, "test").canvas
    return canvases.build(config, shown or frontend(), SAMPLES)


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


@pytest.mark.parametrize("kind", [GAINS, WAVEFORM], ids=["gains", "waveform"])
def test_the_start_renders_the_samples_of_the_original(kind, waveform):
    canvas = build(kind)
    context = canvas.analyse(waveform)
    rendered = canvas.render(canvas.start(context), context)
    assert rendered.shape == waveform.shape
    np.testing.assert_allclose(rendered, waveform, atol=1e-5)  # float32 through an STFT and back


@pytest.mark.parametrize("kind", [OLD_PHASE, GRIFFIN_LIM], ids=["old", "gl"])
def test_the_start_of_levels_renders_the_original_below_what_an_image_shows(kind, waveform):
    canvas = build(kind)
    context = canvas.analyse(waveform)
    rendered = canvas.render(canvas.start(context), context)
    assert noise_db(rendered.numpy(), waveform.numpy()) < -80


@EVERY
def test_the_start_looks_like_the_original(kind, waveform):
    canvas = build(kind)
    context = canvas.analyse(waveform)
    seen = canvas.view(canvas.start(context), context)
    wanted = canvas.frontend(waveform).numpy()
    # Near black, 80 dB down, float32 through an STFT and back moves a level by parts of a dB.
    np.testing.assert_allclose(seen, wanted, atol=0.01)
    np.testing.assert_allclose(seen.numpy()[wanted > 0.25], wanted[wanted > 0.25], atol=1e-3)


@EVERY
def test_the_start_wants_the_spectrum_of_the_original(kind, waveform):
    canvas = build(kind)
    context = canvas.analyse(waveform)
    magnitude = canvas.magnitude(canvas.start(context), context)
    wanted = tf.abs(waveform_to_stft(waveform, STFT)).numpy()
    np.testing.assert_allclose(magnitude, wanted, atol=1e-4 * wanted.max())


@EVERY
def test_the_gradient_reaches_every_example_and_stays_finite(kind, waveform):
    canvas = build(kind)
    silent = tf.concat([waveform, tf.zeros((1, SAMPLES))], axis=0)
    context = canvas.analyse(silent)
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
    context = canvas.analyse(tf.zeros((1, SAMPLES)))
    rendered = canvas.render(canvas.start(context), context).numpy()
    assert np.abs(rendered).max() < 1e-7  # a level of −200 dB stands for nothing


@EVERY
def test_examples_of_a_batch_do_not_touch_each_other(kind, waveform):
    canvas = build(kind)
    context = canvas.analyse(waveform)
    values = canvas.start(context)
    rng = np.random.default_rng(1)
    change = rng.normal(0, 0.3, values.shape[1:])
    changed = values + tf.constant(np.stack([0 * change, change]), tf.float32)
    for look in (canvas.view, canvas.render):
        before, after = look(values, context), look(changed, context)
        # Griffin–Lim's transforms may be batched in another order: parts in 10⁷.
        np.testing.assert_allclose(after[0], before[0], atol=1e-6)
        assert np.abs(after[1] - before[1]).max() > 1e-3


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("bound_db", [0.5, 6.0, 20.0])
def test_gains_reach_their_bound_and_never_exceed_it(waveform, sign, bound_db):
    canvas = build(GAINS | {"bound_db": bound_db})
    context = canvas.analyse(waveform)
    # The same gain everywhere scales the sound: the gain can be read off.
    everywhere = tf.fill(context["stft"].shape, sign * 1e6)
    rendered = canvas.render(everywhere, context)
    bound = 10 ** (sign * bound_db / 20)
    np.testing.assert_allclose(rendered, bound * waveform, atol=1e-5 * max(bound, 1))


def test_a_small_gain_is_as_many_decibels(waveform):
    canvas = build(GAINS)
    context = canvas.analyse(waveform)
    rendered = canvas.render(tf.fill(context["stft"].shape, 0.1), context)
    # tanh bends 0.1 dB of 6 by a ten-thousandth of itself.
    np.testing.assert_allclose(rendered, 10 ** (0.1 / 20) * waveform, atol=1e-5)


def test_gains_add_nothing_where_there_was_nothing(waveform):
    canvas = build(GAINS)
    half = tf.concat([waveform[:, : SAMPLES // 2], tf.zeros((2, SAMPLES // 2))], axis=1)
    context = canvas.analyse(half)
    rng = np.random.default_rng(1)
    values = tf.constant(rng.normal(0, 100, context["stft"].shape), tf.float32)
    rendered = canvas.render(values, context).numpy()
    silent = slice(SAMPLES // 2 + 512, None)  # a window behind the last sound
    assert np.abs(rendered[:, silent]).max() < 1e-7


def test_levels_stop_at_the_loudest_of_the_original(waveform):
    canvas = build(OLD_PHASE)
    context = canvas.analyse(waveform)
    magnitude = canvas.magnitude(tf.fill(canvas.start(context).shape, 1e3), context)
    loudest = tf.reduce_max(tf.abs(waveform_to_stft(waveform, STFT)), axis=[1, 2], keepdims=True)
    # Through decibels and back in float32.
    np.testing.assert_allclose(magnitude, loudest * tf.ones_like(magnitude), rtol=1e-4)


@pytest.mark.parametrize("kind", [GAINS, WAVEFORM], ids=["gains", "waveform"])
@pytest.mark.parametrize("shown", ["raw", "phase", "amplitude_phase"])
def test_sound_can_be_shown_to_any_frontend(kind, shown, waveform):
    canvas = build(kind, RawFrontend() if shown == "raw" else frontend(shown))
    context = canvas.analyse(waveform)
    seen = canvas.view(canvas.start(context), context)
    assert seen.shape == (2, *canvas.frontend.shape(SAMPLES))


@pytest.mark.parametrize("shown", ["raw", "phase", "amplitude_phase"])
def test_levels_need_a_frontend_that_shows_levels_alone(shown):
    with pytest.raises(ConfigError, match=r"canvas.kind=log_magnitude .* canvas.kind=gains"):
        build(OLD_PHASE, RawFrontend() if shown == "raw" else frontend(shown))


def test_samples_have_no_magnitude(waveform):
    canvas = build(WAVEFORM, RawFrontend())
    with pytest.raises(ConfigError, match="no magnitude"):
        canvas.magnitude(waveform, {})
