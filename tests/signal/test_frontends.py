"""Contracts of all frontends, and images of spectrograms and their inversion."""

import numpy as np
import pytest
import tensorflow as tf
from extensions import extension

from tfdream.config import (
    Experiment,
    FrontendConfig,
    ImageFrontendConfig,
    PhaseConfig,
    StftSpec,
    validate,
)
from tfdream.config.registry import sections
from tfdream.errors import ConfigError
from tfdream.signal.frontends import build
from tfdream.signal.frontends.constant_q import ConstantQFrontendConfig
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.frontends.raw import RawFrontendConfig
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend, SpectrogramFrontendConfig
from tfdream.signal.scales import SILENT_CLIP_DB, Log1p, LogPower, Magnitude
from tfdream.signal.stft import stft_to_power, waveform_to_stft

PACKAGE = "tfdream.signal.frontends"
SPEC = StftSpec(n_fft=256, hop_samples=64)
KINDS = ["amplitude", "phase", "amplitude_phase"]
SIZES = [None, (64, 32), (200, 61)]
SAMPLES = 3001
RATE = 8000
EXACT_PHASE = PhaseConfig(iterations=0)
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


def relative_error(result, target):
    return float(np.linalg.norm(result - target) / np.linalg.norm(target))


# Contracts


def configs():
    """Return a section of every discovered kind, by name; images also at two other sizes."""
    parameters = {
        "constant_q": {"min_hz": 1000, "octaves": 2, "hop_samples": 64},
        "mel": {"stft": SPEC, "bands": 24},
        "log_mel": {"stft": SPEC, "bands": 24, "float16": True},
    } | {
        kind: {"stft": SPEC}
        for kind in (*KINDS, "log1p", "magnitude", "features", "autocorrelogram")
    }
    result = {}
    for kind, section in sections(PACKAGE, FrontendConfig).items():
        config = section(kind=kind, **parameters.get(kind, {}))
        result[kind] = config
        if isinstance(config, ImageFrontendConfig):
            for size in SIZES[1:]:
                result[f"{kind} {size}"] = config.model_copy(update={"size": size})
    return result


CONFIGS = configs()
GRAPHS = [name for name, config in CONFIGS.items() if build(config, RATE).in_graph]


def frontends(names=CONFIGS):
    for name in names:
        yield name, build(CONFIGS[name], RATE)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_batch_is_its_clips_one_by_one(name):
    frontend = build(CONFIGS[name], RATE)
    waveforms = music(3) * [[1.0], [0.1], [0.01]]
    together = frontend(waveforms)
    for clip in range(3):
        alone = frontend(waveforms[clip : clip + 1])[0]
        if isinstance(frontend, SpectrogramFrontend) and frontend.shows_phase:
            # A phase near π may jump by 2π, and is arbitrary where a bin is nearly empty.
            assert np.mean(np.abs(together[clip] - alone) > 1e-3) < 1e-3
        else:
            np.testing.assert_allclose(together[clip], alone, atol=1e-5)  # float32, 80 dB


@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_reach_every_clip_and_are_finite_in_silence(name):
    frontend = build(CONFIGS[name], RATE)
    for sounding in (SAMPLES, 500, 0):
        waveforms = tf.Variable(music() * (np.arange(SAMPLES) < sounding))
        with tf.GradientTape() as tape:
            output = frontend(waveforms)
            total = tf.reduce_sum(output**2)
        gradient = tape.gradient(total, waveforms).numpy()
        assert np.isfinite(output).all()
        assert np.isfinite(gradient).all()
        assert sounding < SAMPLES or (np.abs(gradient).max(axis=1) > 0).all()


def test_shapes_follow_from_the_number_of_samples():
    for name, frontend in frontends(GRAPHS):
        for samples in (129, 1024):
            assert frontend(music(2, samples)).shape == (2, *frontend.shape(samples)), name
    for name, frontend in frontends(set(CONFIGS) - set(GRAPHS)):
        assert frontend(music()).shape == (2, *frontend.shape(SAMPLES)), name


def test_images_are_in_0_to_1():
    for name, frontend in frontends(GRAPHS):
        config = CONFIGS[name]
        assert config.gives_images == (len(frontend.shape(SAMPLES)) == 3)
        without_limit = config.kind in ("log1p", "log_mel", "magnitude")
        if config.gives_images and not without_limit:
            image = frontend(music()).numpy()
            assert image.min() >= 0, name
            assert image.max() <= 1 + 1e-6, name  # the phase's π in float32


def test_sections_describe_the_axes_of_their_outputs():
    for name, frontend in frontends():
        config, shape = CONFIGS[name], frontend.shape(SAMPLES)
        spacings = config.spacings(shape, SAMPLES, RATE)
        assert len(spacings) == len(shape) - 1, name
        assert all(size > 0 and unit for size, unit in spacings), name
        if config.gives_images:
            frequencies_hz = config.frequencies_hz(RATE)
            assert config.size or len(frequencies_hz) == shape[0], name
            assert (np.diff(frequencies_hz) > 0).all(), name
            assert frequencies_hz[-1] <= RATE / 2, name
            assert len(config.channels) == shape[-1], name


def test_sections_state_their_largest_number_of_values():
    for name, frontend in frontends():
        config = CONFIGS[name]
        shown = np.prod(frontend.shape(SAMPLES)[:2])
        assert config.values(SAMPLES) >= shown, name
        assert validate(config.model_dump(), type(config), name) == config


EXTRA = """
from typing import Literal
import tensorflow as tf
from tfdream.config import FrontendConfig
from tfdream.signal.frontends.base import Frontend

class EnvelopeConfig(FrontendConfig):
    kind: Literal["envelope"]

class Envelope(Frontend):
    def __call__(self, waveform, size=None):
        return tf.abs(waveform)[..., tf.newaxis]

    def shape(self, samples):
        return samples, 1

def build(config, sample_rate):
    return Envelope()
"""


def test_a_placed_module_is_a_frontend(tmp_path):
    with extension(PACKAGE, tmp_path, "envelope", EXTRA):
        assert "envelope" in configs()
        experiment = validate({"frontend": {"kind": "envelope"}}, Experiment, "it")
        assert build(experiment.frontend, RATE)(-tf.ones([1, 3])).shape == (1, 3, 1)
        with pytest.raises(ConfigError, match=r"kind='other' is not one of: .*, envelope"):
            validate({"frontend": {"kind": "other"}}, Experiment, "it")
    with pytest.raises(ConfigError, match="kind='envelope' is not one of"):
        validate({"frontend": {"kind": "envelope"}}, Experiment, "it")


# Images


def test_raw_samples_are_passed_on():
    frontend = build(RawFrontendConfig(kind="raw"), RATE)
    np.testing.assert_array_equal(frontend(music())[..., 0], music())
    louder = build(RawFrontendConfig(kind="raw", gain=2.0), RATE)
    np.testing.assert_array_equal(louder(music())[..., 0], 2 * music())


def test_two_channels_are_the_images_of_level_and_phase():
    level, phase, both = (spectrogram(kind)(music()).numpy() for kind in KINDS)
    np.testing.assert_allclose(both, np.concatenate([level, phase], axis=-1), atol=1e-6)  # float32


def test_frequency_ascends_along_the_height():
    for size in (None, (64, 32), (300, 100)):
        frontend = spectrogram("amplitude", size=size)
        rows = [
            int(tf.argmax(tf.reduce_mean(frontend(tone(tone_bin))[0, ..., 0], axis=1)))
            for tone_bin in (10, 50, 100)
        ]
        height = size[0] if size else SPEC.bins
        expected = (np.array([10, 50, 100]) + 0.5) / SPEC.bins * height - 0.5
        np.testing.assert_allclose(rows, expected, atol=1.5)  # a row, and rounding


def test_time_ascends_along_the_width():
    click = np.zeros((1, SAMPLES), np.float32)
    click[0, SAMPLES // 4] = 1
    for size in (None, (64, 32)):
        image = spectrogram("amplitude", size=size)(click)[0, ..., 0]
        column = int(tf.argmax(tf.reduce_mean(image, axis=0)))
        assert column / image.shape[1] == pytest.approx(0.25, abs=1.5 / image.shape[1])


def test_gray_is_the_level_below_the_loudest_bin():
    for top_db in (40.0, 80.0):
        for below_db in (0.0, 10.0, 30.0, 60.0):
            waveform = tone(32) + tone(100, amplitude=10 ** (-below_db / 20))
            image = spectrogram("amplitude", top_db=top_db)(waveform)[0, ..., 0].numpy()
            middle = image.shape[1] // 2
            assert image[32, middle] == pytest.approx(1, abs=5e-3)  # reflected ends may be louder
            expected = max(0.0, image[32, middle] - below_db / top_db)
            assert image[100, middle] == pytest.approx(expected, abs=1e-4)  # < 0.01 dB


def test_the_image_of_a_clip_does_not_depend_on_its_loudness():
    frontend = spectrogram("amplitude")
    for gain_db in (-40.0, 6.0):
        louder = frontend(music() * 10 ** (gain_db / 20))
        np.testing.assert_allclose(louder, frontend(music()), atol=1e-4)  # float32


@pytest.mark.parametrize("kind", ["amplitude", "amplitude_phase", "mel"])
def test_min_max_shows_the_range_of_each_clip(kind):
    """The document: 10 · log10|D|, scaled to the range (0, 1)."""
    section = MelFrontendConfig if kind == "mel" else SpectrogramFrontendConfig
    bands = {"bands": 20} if kind == "mel" else {}
    frontend = build(section(kind=kind, stft=SPEC, level_range="min_max", **bands), RATE)
    waveform = music() * tf.constant([[1.0], [0.01]])
    image = frontend(waveform).numpy()[..., 0]
    assert image.min(axis=(1, 2)) == pytest.approx(0, abs=1e-6)
    assert image.max(axis=(1, 2)) == pytest.approx(1, abs=1e-6)
    if kind == "amplitude":
        levels = 10 * np.log10(magnitude(waveform).astype(np.float64))
        low, high = (f(levels, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
        expected = ((levels - low) / (high - low)).transpose(0, 2, 1)
        np.testing.assert_allclose(image, expected, atol=2e-6)  # float32 logarithms


def test_min_max_is_inverted_without_loss():
    frontend = spectrogram("amplitude", level_range="min_max")
    waveform = music()
    image, metadata = frontend.analyze(waveform)
    result = frontend.image_to_magnitude(image, metadata, SAMPLES).numpy()
    assert relative_error(result, magnitude(waveform)) < 1e-4
    with pytest.raises(ConfigError, match="range of the clip's levels is not known"):
        frontend.image_to_magnitude(image, metadata._replace(range_db=None), SAMPLES)
    with pytest.raises(ConfigError, match=r"level_range=min_max: .* no gain in dB"):
        frontend.change_to_gain_db(image, SAMPLES)


def test_silence_is_black_with_min_max():
    frontend = spectrogram("amplitude", level_range="min_max")
    assert not frontend(tf.zeros([1, SAMPLES])).numpy().any()
    assert not frontend(1e-9 * music()).numpy().any()


def test_min_max_has_a_gradient_and_the_image_of_its_parts():
    frontend = spectrogram("amplitude", level_range="min_max")
    waveform = music()
    with tf.GradientTape() as tape:
        tape.watch(waveform)
        total = tf.reduce_sum(frontend(waveform))
    gradient = tape.gradient(total, waveform).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
    level = frontend.scale.power_to_level(stft_to_power(waveform_to_stft(waveform, SPEC)))
    image = frontend.parts_to_image(level, tf.zeros_like(level))
    np.testing.assert_allclose(image, frontend(waveform), atol=1e-6)


def test_min_max_needs_levels():
    for kind in ("phase", "log1p"):
        with pytest.raises(ConfigError, match="level_range=min_max needs an image of levels"):
            validate(
                {"kind": kind, "level_range": "min_max"}, SpectrogramFrontendConfig, "the test"
            )


def test_silence_is_black():
    """Also where rounding or dither leave something below the level that counts as silence."""
    for level_db in (-np.inf, -180.0, -140.0, -101.0):
        waveform = tone(32, amplitude=10 ** (level_db / 20))
        assert level_db < SILENT_CLIP_DB
        for top_db in (40.0, 80.0, 120.0):
            for size in (None, (64, 32)):
                frontend = spectrogram("amplitude", size=size, top_db=top_db)
                assert not frontend(waveform).numpy().any()


def test_a_quiet_clip_is_not_silence():
    image = spectrogram("amplitude")(tone(32, amplitude=10 ** ((SILENT_CLIP_DB + 1) / 20)))
    assert float(tf.reduce_max(image)) == pytest.approx(1)


@each_kind
def test_level_and_phase_give_the_image_of_their_waveform(kind):
    frontend = spectrogram(kind)
    stft = waveform_to_stft(music(), SPEC)
    level_db = tf.constant(20 * np.log10(np.abs(stft) / (SPEC.n_fft / 4)))
    image = frontend.parts_to_image(level_db, tf.constant(np.angle(stft)))
    np.testing.assert_allclose(image, frontend(music()), atol=1e-5)  # float32


def test_full_turns_do_not_change_the_image_of_a_phase():
    frontend, phase = spectrogram("phase"), np.linspace(-3, 3, 10 * SPEC.bins)
    level_db, phase = tf.zeros([1, 10, SPEC.bins]), phase.reshape(1, 10, -1).astype(np.float32)
    turned = phase + np.float32(2 * np.pi) * np.random.default_rng(0).integers(-3, 4, phase.shape)
    image = frontend.parts_to_image(level_db, tf.constant(turned, tf.float32))
    expected = frontend.parts_to_image(level_db, tf.constant(phase))
    np.testing.assert_allclose(image, expected, atol=1e-5)  # float32 of up to seven turns


# Inversion


@each_kind
def test_the_original_phase_gives_the_waveform_back(kind):
    """The error is what lies below the scale: −80 dB of the loudest bin, in every bin."""
    frontend = spectrogram(kind)
    waveform = music()
    image, metadata = frontend.analyze(waveform)
    result = frontend.invert(image, metadata, SAMPLES, EXACT_PHASE)
    assert result.shape == waveform.shape
    assert relative_error(result, waveform) < (1e-4 if kind == "phase" else 1e-3)


@each_kind
def test_an_analysis_gives_the_same_image(kind):
    image, metadata = spectrogram(kind, size=(64, 32)).analyze(music())
    np.testing.assert_array_equal(image, spectrogram(kind, size=(64, 32))(music()))
    assert metadata.reference_db.shape == (2, 1, 1)
    np.testing.assert_allclose(metadata.magnitude, magnitude(music()), atol=1e-5)  # float32


def test_iterations_from_the_original_phase_preserve_the_waveform():
    frontend = spectrogram("amplitude")
    image, metadata = frontend.analyze(music())
    result = frontend.invert(image, metadata, SAMPLES, PhaseConfig(iterations=8))
    assert relative_error(result, music()) < 1e-3  # what lies below −80 dB


@pytest.mark.parametrize("init", ["pghi", "random"])
def test_an_image_of_levels_gives_the_magnitude_back(init):
    """As closely as Griffin–Lim converges; the waveform is not determined."""
    frontend = spectrogram("amplitude")
    image, metadata = frontend.analyze(music())
    levels_only = metadata._replace(magnitude=None, phase=None)
    target = magnitude(music())
    few, many = (
        relative_error(magnitude(frontend.invert(image, levels_only, SAMPLES, phase)), target)
        for phase in (PhaseConfig(init=init, iterations=count) for count in (2, 60))
    )
    assert many < min(few, 0.2)  # −14 dB


def test_the_seed_determines_a_random_phase():
    frontend = spectrogram("amplitude")
    image, metadata = frontend.analyze(music())
    phase = PhaseConfig(init="random", iterations=2)
    first, again, other = (
        frontend.invert(image, metadata._replace(phase=None), SAMPLES, phase, seed=seed).numpy()
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_phase_in_the_image_is_used_whatever_the_settings():
    frontend = spectrogram("amplitude_phase")
    image, metadata = frontend.analyze(music())
    result = frontend.invert(image, metadata, SAMPLES)
    for init in ("pghi", "random"):
        again = frontend.invert(image, metadata, SAMPLES, PhaseConfig(init=init))
        np.testing.assert_array_equal(again, result)


def test_an_image_of_level_and_phase_needs_the_reference_only():
    frontend = spectrogram("amplitude_phase")
    image, metadata = frontend.analyze(music())
    reference_only = metadata._replace(magnitude=None, phase=None)
    result = frontend.invert(image, reference_only, SAMPLES)
    assert relative_error(result, music()) < 1e-3  # −80 dB


def test_an_image_of_the_phase_uses_the_given_magnitude():
    frontend = spectrogram("phase")
    image, metadata = frontend.analyze(music())
    half = metadata._replace(magnitude=metadata.magnitude / 2, phase=None)
    assert relative_error(frontend.invert(image, half, SAMPLES), music() / 2) < 1e-4  # float32


def test_a_resized_level_is_inverted_with_a_blur():
    frontend = spectrogram("amplitude", size=(100, 40))
    image, metadata = frontend.analyze(tone(32) + 0.1 * music())
    result = frontend.invert(image, metadata, SAMPLES, EXACT_PHASE)
    # Interpolated grays are the STFT of no signal, yet the image stays similar; that of the other
    # clip correlates by some 0.5.
    again = frontend(result).numpy()
    for clip in range(2):
        assert np.corrcoef(again[clip].ravel(), image[clip].numpy().ravel())[0, 1] > 0.9
    assert (np.abs(magnitude(result).mean(axis=1).argmax(axis=1) - 32) <= 1).all()


@pytest.mark.parametrize("level_range", ["top_db", "min_max"])
def test_a_black_image_is_silence(level_range):
    frontend = spectrogram("amplitude", level_range=level_range)
    image, metadata = frontend.analyze(tf.zeros([1, SAMPLES]))
    for iterations in (0, 3):
        result = frontend.invert(image, metadata, SAMPLES, PhaseConfig(iterations=iterations))
        np.testing.assert_array_equal(result, 0)


def test_black_is_zero_magnitude_instead_of_the_lower_end_of_the_scale():
    frontend = spectrogram("amplitude")
    image, metadata = frontend.analyze(music())
    result = frontend.image_to_magnitude(tf.where(image > 0.5, image, 0.0), metadata, SAMPLES)
    gray = np.transpose(image[..., 0], [0, 2, 1]) > 0.5
    np.testing.assert_array_equal(result > 0, gray)


@pytest.mark.parametrize("scale", [Magnitude(), Log1p(), LogPower(10000.0)])
def test_negative_channels_have_no_power(scale):
    channel = tf.constant([[[-2.0, 0.0, 0.5]]])
    with tf.GradientTape() as tape:
        tape.watch(channel)
        power = scale.channel_to_power(channel)
    gradient = tape.gradient(power, channel).numpy()
    assert power.numpy()[..., :2].tolist() == [[[0, 0]]]
    assert gradient[0, 0, 0] == 0
    assert power.numpy()[0, 0, 2] > 0
    assert gradient[0, 0, 2] > 0


def test_the_inverse_has_a_gradient():
    frontend = spectrogram("amplitude")
    image, metadata = frontend.analyze(music())
    image = tf.Variable(image)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(frontend.invert(image, metadata, SAMPLES, EXACT_PHASE) ** 2)
    gradient = tape.gradient(total, image).numpy()
    assert np.isfinite(gradient).all()
    assert gradient.any()


def test_what_neither_image_nor_metadata_contain_is_an_error():
    image, metadata = spectrogram("amplitude").analyze(music())
    with pytest.raises(ConfigError, match="init=original"):
        spectrogram("amplitude").invert(image, metadata._replace(phase=None), SAMPLES)
    image, metadata = spectrogram("phase").analyze(music())
    with pytest.raises(ConfigError, match="kind=phase"):
        spectrogram("phase").invert(image, metadata._replace(magnitude=None), SAMPLES)


def test_too_few_samples_are_an_error():
    for kind in KINDS:
        with pytest.raises(ConfigError, match="n_fft=256"):
            spectrogram(kind)(tf.zeros([1, 128]))


# Changes of images


def level_frontends():
    for size in SIZES:
        yield spectrogram("amplitude", size=size)
        yield build(MelFrontendConfig(kind="mel", stft=SPEC, bands=24, size=size), RATE)


def test_a_constant_change_of_an_image_is_a_constant_gain():
    for frontend in level_frontends():
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


def test_the_change_of_an_image_gives_the_gain_that_caused_it():
    """High frequencies get 12 dB softer, along a slope that images and bands can show."""
    waveform = music(1, noise=0.1)
    stft = waveform_to_stft(waveform, SPEC)
    target_db = np.interp(np.arange(SPEC.bins), [20, 110], [0, -12]).astype(np.float32)
    # Levels are relative to the loudest, which must not change: a tone far below.
    softer = stft * (10 ** (target_db / 20)).astype(np.complex64)
    loud = np.zeros(stft.shape, np.complex64)
    loud[:, :, 4] = 10 * np.abs(stft).max()
    for frontend in level_frontends():
        change = frontend.stft_to_image(softer + loud) - frontend.stft_to_image(stft + loud)
        gain_db = frontend.change_to_gain_db(change, SAMPLES).numpy()[0]
        # The slope is resolved to the height of a pixel or the width of a band: 2 dB.
        np.testing.assert_allclose(gain_db[:, 10:120].mean(axis=0), target_db[10:120], atol=2)


def test_constant_q_bands_beyond_half_the_sample_rate_are_an_error():
    with pytest.raises(ConfigError, match="half the sample rate"):
        build(ConstantQFrontendConfig(kind="constant_q", octaves=8), RATE)


def test_images_with_a_level_do_not_depend_on_the_loudness_of_the_clip():
    section = {"kind": "log1p", "stft": {"n_fft": 256, "hop_samples": 64}}
    leveled = build(
        validate({**section, "level_dbfs": -20}, SpectrogramFrontendConfig, "test"), 8000
    )
    wave = tf.random.stateless_normal([2, 2048], [3, 4])
    loud = wave * 0.1 / tf.math.reduce_std(wave, axis=1, keepdims=True)
    np.testing.assert_allclose(leveled(0.1 * loud), leveled(loud), atol=1e-3)
    plain = build(validate(section, SpectrogramFrontendConfig, "test"), 8000)
    np.testing.assert_allclose(leveled(loud), plain(loud), rtol=0.01)  # the RMS is -20 dBFS
    assert float(tf.reduce_max(leveled(tf.zeros([1, 2048])))) < 1e-4


def test_a_level_is_refused_where_it_has_no_effect():
    with pytest.raises(ConfigError, match="level_dbfs has no effect on kind=amplitude"):
        build(
            validate({"kind": "amplitude", "level_dbfs": -20}, SpectrogramFrontendConfig, "test"),
            8000,
        )
