import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    PhaseConfig,
    StftSpec,
)
from tfdream.errors import ConfigError
from tfdream.signal.frontends import (
    build,
)
from tfdream.signal.frontends.constant_q import ConstantQFrontendConfig
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.frontends.raw import RawFrontend, RawFrontendConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend, SpectrogramFrontendConfig
from tfdream.signal.scales import SILENCE_DB
from tfdream.signal.stft import stft_to_power, waveform_to_stft

SPEC = StftSpec(n_fft=256, hop_samples=64)
KINDS = ["amplitude", "phase", "amplitude_phase"]
SIZES = [None, (64, 32), (200, 61)]
SAMPLES = 3001
RATE = 8000
AS_IT_IS = PhaseConfig(iterations=0)
each_kind = pytest.mark.parametrize("kind", KINDS)


def spectrogram(kind, **settings):
    return build(SpectrogramFrontendConfig(kind=kind, stft=SPEC, **settings), RATE)


def music(batch=2, samples=SAMPLES, noise=0.01):
    """Three steady tones that differ from clip to clip, over noise."""
    rng = np.random.default_rng(0)
    seconds = np.arange(samples) / RATE
    hz = rng.uniform(200, 3500, (batch, 3, 1))
    waveforms = 0.2 * np.sin(2 * np.pi * hz * seconds).sum(axis=1)
    return tf.constant(waveforms + rng.normal(0, noise, waveforms.shape), tf.float32)


def tone(tone_bin, amplitude=1.0, samples=SAMPLES):
    angle = 2 * np.pi * tone_bin * np.arange(samples) / SPEC.n_fft
    return tf.constant(amplitude * np.cos(angle)[None], tf.float32)


def magnitude(waveform):
    return tf.sqrt(stft_to_power(waveform_to_stft(waveform, SPEC))).numpy()


def relative_error(found, wanted):
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def constant_q(**settings):
    bands = {"min_hz": 1000, "octaves": 2, "hop_samples": 64}
    return build(ConstantQFrontendConfig(kind="constant_q", **bands, **settings), RATE)


FRONTENDS = (
    {"raw": RawFrontend()}
    | {f"{kind} {size}": spectrogram(kind, size=size) for kind in KINDS for size in SIZES}
    | {f"constant_q {size}": constant_q(size=size) for size in SIZES}
)
each_frontend = pytest.mark.parametrize("frontend", FRONTENDS.values(), ids=FRONTENDS.keys())


@each_frontend
@pytest.mark.parametrize("samples", [129, 1000, 1024, SAMPLES])
def test_the_shape_is_known_beforehand(frontend, samples):
    assert frontend(music(2, samples)).shape == (2, *frontend.shape(samples))


@each_frontend
def test_a_batch_is_its_clips_one_by_one(frontend):
    waveforms = music(3) * [[1.0], [0.1], [0.01]]
    together = frontend(waveforms)
    for clip in range(3):
        alone = frontend(waveforms[clip : clip + 1])[0]
        if isinstance(frontend, SpectrogramFrontend) and frontend.shows_phase:
            # A phase may jump by 2π where it is π, and is anything where a bin is nearly empty.
            assert np.mean(np.abs(together[clip] - alone) > 1e-3) < 1e-3
        else:
            np.testing.assert_allclose(together[clip], alone, atol=1e-5)  # float32, 80 dB


@each_frontend
def test_the_gradient_reaches_every_clip(frontend):
    waveforms = tf.Variable(music())
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(frontend(waveforms) ** 2)
    gradient = tape.gradient(total, waveforms).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(axis=1) > 0).all()


@each_frontend
@pytest.mark.parametrize("sounding", [0, 500])
def test_silence_is_finite_and_so_is_its_gradient(frontend, sounding):
    waveforms = tf.Variable(music() * (np.arange(SAMPLES) < sounding))
    with tf.GradientTape() as tape:
        image = frontend(waveforms)
        total = tf.reduce_sum(image**2)
    assert np.isfinite(image).all()
    assert np.isfinite(tape.gradient(total, waveforms)).all()


@each_frontend
def test_images_are_between_0_and_1(frontend):
    if not isinstance(frontend, RawFrontend):
        image = frontend(music()).numpy()
        assert image.min() >= 0
        assert image.max() <= 1 + 1e-6  # the phase's π in float32


def test_raw_samples_are_passed_on():
    waveforms = music()
    np.testing.assert_array_equal(
        build(RawFrontendConfig(kind="raw"), RATE)(waveforms)[..., 0], waveforms
    )


def test_both_channels_are_the_images_of_their_kinds():
    level, phase, both = (spectrogram(kind)(music()).numpy() for kind in KINDS)
    np.testing.assert_allclose(both, np.concatenate([level, phase], axis=-1), atol=1e-6)  # float32


@pytest.mark.parametrize("size", [None, (64, 32), (300, 100)])
def test_frequency_ascends(size):
    frontend = spectrogram("amplitude", size=size)
    rows = [
        int(tf.argmax(tf.reduce_mean(frontend(tone(tone_bin))[0, ..., 0], axis=1)))
        for tone_bin in (10, 50, 100)
    ]
    height = size[0] if size else SPEC.bins
    expected = (np.array([10, 50, 100]) + 0.5) / SPEC.bins * height - 0.5
    np.testing.assert_allclose(rows, expected, atol=1.5)  # a row, and rounding


@pytest.mark.parametrize("size", [None, (64, 32)])
def test_time_runs_along_the_width(size):
    click = np.zeros((1, SAMPLES), np.float32)
    click[0, SAMPLES // 4] = 1
    image = spectrogram("amplitude", size=size)(click)[0, ..., 0]
    column = int(tf.argmax(tf.reduce_mean(image, axis=0)))
    assert column / image.shape[1] == pytest.approx(0.25, abs=1.5 / image.shape[1])


@pytest.mark.parametrize("top_db", [40.0, 80.0])
@pytest.mark.parametrize("below_db", [0.0, 10.0, 30.0, 60.0])
def test_gray_is_the_level_below_the_loudest_bin(top_db, below_db):
    waveform = tone(32) + tone(100, amplitude=10 ** (-below_db / 20))
    image = spectrogram("amplitude", top_db=top_db)(waveform)[0, ..., 0].numpy()
    middle = image.shape[1] // 2
    assert image[32, middle] == pytest.approx(1, abs=5e-3)  # the reflected ends may be louder
    expected = max(0.0, image[32, middle] - below_db / top_db)
    assert image[100, middle] == pytest.approx(expected, abs=1e-4)  # < 0.01 dB


@pytest.mark.parametrize("gain_db", [-40.0, 6.0])
def test_the_image_of_a_clip_does_not_depend_on_its_loudness(gain_db):
    frontend = spectrogram("amplitude")
    image = frontend(music())
    np.testing.assert_allclose(
        frontend(music() * 10 ** (gain_db / 20)), image, atol=1e-4
    )  # float32


@pytest.mark.parametrize("size", [None, (64, 32)])
@pytest.mark.parametrize("top_db", [40.0, 80.0, 120.0])
@pytest.mark.parametrize("level_db", [-np.inf, -180.0, -140.0, -101.0])
def test_silence_is_black(level_db, top_db, size):
    """Also where rounding or dither leave something under the level that counts as silence."""
    waveform = tone(32, amplitude=10 ** (level_db / 20))
    assert level_db < SILENCE_DB
    assert not spectrogram("amplitude", size=size, top_db=top_db)(waveform).numpy().any()


def test_a_quiet_clip_is_no_silence():
    image = spectrogram("amplitude")(tone(32, amplitude=10 ** ((SILENCE_DB + 1) / 20)))
    assert float(tf.reduce_max(image)) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["amplitude", "phase", "amplitude_phase"])
def test_level_and_phase_give_the_image_of_their_waveform(kind):
    frontend = spectrogram(kind)
    stft = waveform_to_stft(music(), SPEC)
    level_db = tf.constant(20 * np.log10(np.abs(stft) / (SPEC.n_fft / 4)))
    image = frontend.parts_to_image(level_db, tf.constant(np.angle(stft)))
    np.testing.assert_allclose(image, frontend(music()), atol=1e-5)  # float32


def test_a_phase_is_shown_without_its_turns():
    frontend, phase = spectrogram("phase"), np.linspace(-3, 3, 10 * SPEC.bins)
    level_db, phase = tf.zeros([1, 10, SPEC.bins]), phase.reshape(1, 10, -1).astype(np.float32)
    turned = phase + np.float32(2 * np.pi) * np.random.default_rng(0).integers(-3, 4, phase.shape)
    shown = frontend.parts_to_image(level_db, tf.constant(turned, tf.float32))
    wanted = frontend.parts_to_image(level_db, tf.constant(phase))
    np.testing.assert_allclose(shown, wanted, atol=1e-5)  # float32 of up to seven turns


# Inversion


@each_kind
def test_a_known_phase_gives_the_waveform_back(kind):
    """Exactly but for what lies under the scale: −80 dB of the loudest bin, in every bin."""
    frontend = spectrogram(kind)
    waveform = music()
    image, remainder = frontend.analyze(waveform)
    found = frontend.invert(image, remainder, SAMPLES, AS_IT_IS)
    assert found.shape == waveform.shape
    assert relative_error(found, waveform) < (1e-4 if kind == "phase" else 1e-3)


@each_kind
def test_the_image_of_an_analysis_is_the_frontends_own(kind):
    image, remainder = spectrogram(kind, size=(64, 32)).analyze(music())
    np.testing.assert_array_equal(image, spectrogram(kind, size=(64, 32))(music()))
    assert remainder.reference_db.shape == (2, 1, 1)
    np.testing.assert_allclose(remainder.magnitude, magnitude(music()), atol=1e-5)  # float32


def test_iterating_from_the_true_phase_keeps_the_waveform():
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(music())
    found = frontend.invert(image, remainder, SAMPLES, PhaseConfig(iterations=8))
    assert relative_error(found, music()) < 1e-3  # what lies under −80 dB


@pytest.mark.parametrize("start", ["pghi", "random"])
def test_a_level_alone_gives_the_magnitude_back(start):
    """As near as Griffin–Lim comes; the phase, and with it the waveform, stays unknown."""
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(music())
    alone = remainder._replace(magnitude=None, phase=None)
    wanted = magnitude(music())
    few, many = (
        relative_error(magnitude(frontend.invert(image, alone, SAMPLES, phase)), wanted)
        for phase in (PhaseConfig(init=start, iterations=count) for count in (2, 60))
    )
    assert many < min(few, 0.2)  # −14 dB


@pytest.mark.parametrize("seeds", [(1, 1), (1, 2)])
def test_the_seed_decides_an_unknown_phase(seeds):
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(music())
    alone = remainder._replace(phase=None)
    phase = PhaseConfig(init="random", iterations=2)
    first, second = (
        frontend.invert(image, alone, SAMPLES, phase, seed=seed).numpy() for seed in seeds
    )
    assert np.array_equal(first, second) == (seeds[0] == seeds[1])


def test_a_shown_phase_is_used_whatever_the_settings():
    frontend = spectrogram("amplitude_phase")
    image, remainder = frontend.analyze(music())
    found = frontend.invert(image, remainder, SAMPLES)
    for start in ("pghi", "random"):
        again = frontend.invert(image, remainder, SAMPLES, PhaseConfig(init=start))
        np.testing.assert_array_equal(again, found)


def test_level_and_phase_need_no_remainder_but_the_reference():
    frontend = spectrogram("amplitude_phase")
    image, remainder = frontend.analyze(music())
    alone = remainder._replace(magnitude=None, phase=None)
    assert relative_error(frontend.invert(image, alone, SAMPLES), music()) < 1e-3  # −80 dB


def test_an_image_of_the_phase_takes_the_magnitude_it_is_given():
    frontend = spectrogram("phase")
    image, remainder = frontend.analyze(music())
    half = remainder._replace(magnitude=remainder.magnitude / 2, phase=None)
    assert relative_error(frontend.invert(image, half, SAMPLES), music() / 2) < 1e-4  # float32


def test_a_resized_level_comes_back_blurred():
    frontend = spectrogram("amplitude", size=(100, 40))
    image, remainder = frontend.analyze(tone(32) + 0.1 * music())
    found = frontend.invert(image, remainder, SAMPLES, AS_IT_IS)
    # Interpolated grays are the STFT of no signal, yet it is the same picture; that of the other
    # clip correlates by some 0.5.
    again = frontend(found).numpy()
    for clip in range(2):
        assert np.corrcoef(again[clip].ravel(), image[clip].numpy().ravel())[0, 1] > 0.9
    assert (np.abs(magnitude(found).mean(axis=1).argmax(axis=1) - 32) <= 1).all()


def test_a_black_image_is_silence():
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(tf.zeros([1, SAMPLES]))
    for iterations in (0, 3):
        found = frontend.invert(image, remainder, SAMPLES, PhaseConfig(iterations=iterations))
        np.testing.assert_array_equal(found, 0)


def test_black_is_no_sound_at_all_not_the_foot_of_the_scale():
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(music())
    shown = frontend.image_to_magnitude(tf.where(image > 0.5, image, 0.0), remainder, SAMPLES)
    gray = np.transpose(image[..., 0], [0, 2, 1]) > 0.5
    np.testing.assert_array_equal(shown > 0, gray)


def test_the_inverse_has_a_gradient():
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(music())
    image = tf.Variable(image)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(frontend.invert(image, remainder, SAMPLES, AS_IT_IS) ** 2)
    gradient = tape.gradient(total, image).numpy()
    assert np.isfinite(gradient).all()
    assert gradient.any()


def test_an_unknown_phase_is_no_start():
    frontend = spectrogram("amplitude")
    image, remainder = frontend.analyze(music())
    with pytest.raises(ConfigError, match="init=original"):
        frontend.invert(image, remainder._replace(phase=None), SAMPLES)


def test_an_image_of_the_phase_needs_a_magnitude():
    frontend = spectrogram("phase")
    image, remainder = frontend.analyze(music())
    with pytest.raises(ConfigError, match="kind=phase"):
        frontend.invert(image, remainder._replace(magnitude=None), SAMPLES)


@each_kind
def test_too_few_samples_are_an_error(kind):
    with pytest.raises(ConfigError, match="n_fft=256"):
        spectrogram(kind)(tf.zeros([1, 128]))


# Changes of images


def mel(**settings):
    return build(MelFrontendConfig(kind="mel", stft=SPEC, bands=24, **settings), RATE)


CHANGED = {
    f"{name} {size}": make(size=size)
    for name, make in (("amplitude", lambda **how: spectrogram("amplitude", **how)), ("mel", mel))
    for size in SIZES
}
each_level = pytest.mark.parametrize("frontend", CHANGED.values(), ids=CHANGED.keys())


@each_level
def test_an_even_change_of_an_image_is_an_even_gain(frontend):
    change = np.full((2, *frontend.shape(SAMPLES)), 0.25, np.float32) * [[[[1]]], [[[-2]]]]
    gain_db = frontend.change_to_gain_db(tf.constant(change, tf.float32), SAMPLES)
    assert gain_db.shape == (2, SPEC.frames(SAMPLES), SPEC.bins)
    np.testing.assert_allclose(gain_db[0], 20, rtol=1e-5)  # a quarter of 80 dB
    np.testing.assert_allclose(gain_db[1], -40, rtol=1e-5)


def test_a_change_of_a_cell_is_a_gain_of_that_cell():
    frontend = spectrogram("amplitude", top_db=60)
    change = np.zeros((1, *frontend.shape(SAMPLES)), np.float32)
    change[0, 30, 7] = 0.1
    gain_db = frontend.change_to_gain_db(tf.constant(change), SAMPLES).numpy()
    assert gain_db[0, 7, 30] == pytest.approx(6)
    assert np.count_nonzero(gain_db) == 1


@each_level
def test_a_gain_of_the_sound_is_the_change_of_its_image(frontend):
    """High frequencies get 12 dB softer, along a slope that images and bands can show."""
    waveform = music(1, noise=0.1)
    stft = waveform_to_stft(waveform, SPEC)
    wanted_db = np.interp(np.arange(SPEC.bins), [20, 110], [0, -12]).astype(np.float32)
    # Amplitudes are measured against the loudest, which must not change: a tone far below.
    softer = stft * (10 ** (wanted_db / 20)).astype(np.complex64)
    loud = np.zeros(stft.shape, np.complex64)
    loud[:, :, 4] = 10 * np.abs(stft).max()
    change = frontend.stft_to_image(softer + loud) - frontend.stft_to_image(stft + loud)
    found_db = frontend.change_to_gain_db(change, SAMPLES).numpy()[0]
    # Between bands and pixels the slope is known to a pixel's height or a band's width: 2 dB.
    np.testing.assert_allclose(found_db[:, 10:120].mean(axis=0), wanted_db[10:120], atol=2)
