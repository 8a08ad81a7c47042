"""The picture canvas, its octaves, and the published dreams on it."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import DreamConfig, ModelConfig, OptimizerConfig, StftSpec, load, validate
from tfdream.errors import ConfigError
from tfdream.models import classifiers
from tfdream.signal import frontends
from tfdream.signal.frontends.raw import RawFrontend
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig
from tfdream.signal.images import resize
from tfdream.signal.stft import waveform_to_stft
from tfdream.synthesis import canvases
from tfdream.synthesis.ascent.ascend import AscentOptions
from tfdream.synthesis.ascent.objectives.layers import layer_norm
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.canvases.picture import PictureCanvasConfig
from tfdream.synthesis.rendering.processor import Goal
from tfdream.synthesis.rendering.tiles import Tiles
from tfdream.synthesis.tile_optimizer import Objectives, build_tile_optimizer

RATE = 8000
SAMPLES = 4000
STFT = {"n_fft": 256, "hop_samples": 64}
SIZE = (64, 48)
PUBLISHED = ["", "_guided", "_phase", "_amplitude_phase"]
# Eager execution gives the same results; tracing graphs takes longer than a few steps.
EAGERLY = pytest.mark.usefixtures("eagerly")


def build_frontend(kind="amplitude", size=SIZE):
    config = SpectrogramFrontendConfig(kind=kind, stft=STFT, size=size)
    return frontends.build(config, RATE)


def build(kind="amplitude", **spec):
    config = PictureCanvasConfig(kind="picture")
    return canvases.build(config, CanvasSpec(build_frontend(kind), SAMPLES, RATE, **spec))


@pytest.fixture(scope="module")
def waveform():
    """A chord with a little noise."""
    rng = np.random.default_rng(0)
    seconds = np.arange(SAMPLES) / RATE
    chord = np.sin(2 * np.pi * np.array([[220], [277], [1330]]) * seconds).sum(axis=0) / 5
    return tf.constant((chord + rng.uniform(-0.01, 0.01, SAMPLES))[np.newaxis], tf.float32)


def test_an_octave_adds_back_the_detail_that_resizing_loses(waveform):
    canvas = build()
    context = canvas.analyze(waveform)
    original = canvas.start(context)
    small = canvas.resize_values(original, context, (20, 15))
    np.testing.assert_allclose(small, resize(original, (20, 15)), atol=1e-6)
    assert np.abs(resize(small, SIZE) - original).max() > 0.1
    np.testing.assert_allclose(canvas.resize_values(small, context), original, atol=1e-6)
    changed = canvas.resize_values(small + 0.1, context)
    np.testing.assert_allclose(changed, original + 0.1, atol=1e-5)


def test_values_of_any_size_are_viewed_at_the_size_of_the_octave(waveform):
    canvas = build("amplitude_phase")
    context = canvas.analyze(waveform)
    values = canvas.start(context)
    for size in ((20, 15), SIZE):
        assert canvas.view(values, context, size).shape == (1, *size, 2)
    small = canvas.resize_values(values, context, (20, 15))
    assert canvas.view(small, context, (20, 15)) is small


def test_a_picture_of_phases_keeps_the_magnitude_and_one_of_levels_the_phase(waveform):
    rng = np.random.default_rng(0)
    for kind in ("phase", "amplitude"):
        canvas = build(kind)
        context = canvas.analyze(waveform)
        values = tf.constant(rng.random((1, *SIZE, 1)), tf.float32)
        magnitude = canvas.magnitude(values, context)
        original = waveform_to_stft(waveform, StftSpec(**STFT))
        unchanged = np.allclose(magnitude, tf.abs(original), rtol=1e-3, atol=1e-4)
        assert unchanged == (kind == "phase")
        rendered = canvas.render(values, context)
        assert rendered.shape == waveform.shape
        assert np.isfinite(rendered).all()


def test_a_picture_from_the_minimum_to_the_maximum_is_rendered_in_its_own_range(waveform):
    config = SpectrogramFrontendConfig(kind="amplitude", stft=STFT, level_range="min_max")
    canvas = canvases.build(
        PictureCanvasConfig(kind="picture"),
        CanvasSpec(frontends.build(config, RATE), SAMPLES, RATE),
    )
    context = canvas.analyze(waveform)
    rendered = canvas.render(canvas.start(context), context)
    np.testing.assert_allclose(rendered, waveform, atol=1e-3)


def test_a_mask_leaves_the_rest_of_the_recording_as_it_is(waveform):
    mask = Mask.build(
        validate({"mask": {"time_seconds": [0.3, 0.5]}}, DreamConfig, "test").mask, RATE
    )
    canvas = build(mask=mask)
    context = canvas.analyze(waveform)
    values = tf.ones((1, *SIZE, 1))
    rendered = canvas.render(values, context).numpy()
    early = slice(round(0.2 * RATE))  # a window before the border
    np.testing.assert_allclose(rendered[:, early], waveform[:, early], atol=1e-6)
    assert np.abs(rendered - waveform).max() > 0.1
    picture = canvas.view(values, context)
    first = slice(SIZE[1] // 3)
    np.testing.assert_allclose(picture[:, :, first], context["picture"][:, :, first], atol=1e-6)


def test_pictures_without_a_range_are_refused():
    config = PictureCanvasConfig(kind="picture")
    for frontend in (RawFrontend(), build_frontend("log1p")):
        with pytest.raises(ConfigError, match=r"canvas\.kind=picture needs .*kind=amplitude"):
            canvases.build(config, CanvasSpec(frontend, SAMPLES, RATE))


def test_jitter_in_pixels_is_drawn_along_both_axes():
    rng = np.random.default_rng(0)
    options = AscentOptions(OptimizerConfig(kind="gradient", jitter_pixels=3), 1.0, rng)
    drawn = np.array([options.jitter()["pixels"] for _ in range(200)])
    assert set(drawn[:, 0]) == set(drawn[:, 1]) == set(range(-3, 4))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.2
    with pytest.raises(ConfigError, match="jitter_pixels"):
        validate({"optimizer": {"kind": "lbfgs", "jitter_pixels": 3}}, DreamConfig, "test")


# Dreams


OPTIONS = {"resnet18": {"width": 4}, "lil_data": {"filters": [4, 8], "dense_units": 4}}


def network(kind, name="lil_data"):
    """A network with random weights on half a second, as recipes need it."""
    frontend = build_frontend(kind)
    keras.utils.set_random_seed(1)
    config = ModelConfig(name=name, options=OPTIONS[name])
    model = classifiers.build(config, frontend.shape(SAMPLES), 2)
    return SimpleNamespace(model=model, frontend=frontend, sample_rate=RATE, input_samples=SAMPLES)


def optimizer(audio_model, *overrides):
    """The published dream on a small network."""
    overrides = ("tiles.overlap_seconds=0", "octaves.count=2", *overrides)
    config = load("dream/dreaming_in_music", DreamConfig, overrides)
    objective = layer_norm("block6" if "resnet18" in audio_model.model.name else "conv2")
    objectives = Objectives(lambda size: (objective, {"objective": objective}), Goal("objective"))
    return build_tile_optimizer(audio_model, config, objectives)


@pytest.fixture(scope="module")
def tiles(waveform):
    return Tiles(waveform.numpy()[..., np.newaxis], np.ones(1), np.zeros(1, int), np.zeros(1, int))


@pytest.mark.parametrize(
    "kind",
    [
        "phase",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("amplitude", "amplitude_phase")),
    ],
)
def test_the_objective_rises_on_every_published_representation(kind, tiles):
    """On the phase too, where pixels that are clipped do not wrap around."""
    changed, measures = optimizer(network(kind, "resnet18"), "optimizer.steps=4").process(tiles)
    assert measures["objective_after"] > 1.2 * measures["objective_before"]
    assert np.abs(changed - tiles.channels).max() > 1e-3


@EAGERLY
def test_a_dream_that_is_stopped_in_an_octave_is_rendered_at_full_size(tiles):
    dream = optimizer(network("amplitude"), "optimizer.steps=2")
    rendered, values = [], []

    def stop(value, render):
        values.append(value)
        rendered.append(render())
        return len(values) == 1

    changed, measures = dream.process(tiles, stop)
    assert len(values) == 1
    assert changed.shape == tiles.channels.shape
    np.testing.assert_array_equal(rendered[0], changed)
    assert np.isfinite(measures["objective_after"]).all()


@EAGERLY
def test_pixels_stay_in_their_range_and_jitter_depends_on_the_seed(tiles):
    model = network("amplitude")
    results = []
    for seed in (1, 1, 2):
        dream = optimizer(model, "optimizer.steps=2", "optimizer.step_size=0.3", f"seed={seed}")
        results.append(dream.process(tiles)[0])
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
    # No cell is louder than the loudest of the original, through resizing, an inverse STFT, and
    # windows that overlap.
    stft = np.abs(waveform_to_stft(tf.constant(results[0][..., 0]), StftSpec(**STFT)))
    loudest = np.abs(waveform_to_stft(tf.constant(tiles.waveforms), StftSpec(**STFT))).max()
    assert stft.max() < 1.5 * loudest


def test_jitter_in_pixels_needs_images():
    audio_model = network("amplitude")
    raw = SimpleNamespace(**vars(audio_model) | {"frontend": RawFrontend()})
    with pytest.raises(ConfigError, match=r"jitter_pixels=32 needs a model with images"):
        optimizer(raw, "canvas={kind: waveform}", "octaves.count=1")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_dreams_optimize_the_picture_with_the_cited_settings(name):
    config = load(f"dream/dreaming_in_music{name}", DreamConfig)
    assert config.canvas.kind == "picture"
    assert (config.octaves.count, config.octaves.scale) == (6, 1.4)
    assert config.optimizer.model_dump(exclude_defaults=True) == {
        "kind": "gradient",
        "step_size": 0.02,
        "jitter_pixels": 32,
    }
    assert "(block6)" in config.objective


def test_the_published_layer_is_the_block_that_ends_with_the_13th_convolution():
    model = network("amplitude", "resnet18").model
    block = model.get_layer("block6")
    added = block.input._keras_history.operation
    norms = {tensor._keras_history.operation.name for tensor in added.input}
    assert "norm13" in norms
