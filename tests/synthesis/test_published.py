"""The published recipes: the settings that the documents, or the code that they cite, state."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import DreamConfig, ModelConfig, TransferConfig, load
from tfdream.models import classifiers
from tfdream.signal.frontends.raw import RawFrontend
from tfdream.synthesis.ascent.expressions import parse
from tfdream.synthesis.audio_model import FeatureNetwork
from tfdream.synthesis.rendering.processor import Goal
from tfdream.synthesis.rendering.tiles import Tiles
from tfdream.synthesis.tile_optimizer import Objectives, build_tile_optimizer, noise
from tfdream.synthesis.transfer import style_tile_optimizer

RATE = 8000
SAMPLES = 4000


def transfer_config(name, *overrides):
    return load(f"transfer/{name}", TransferConfig, overrides)


@pytest.mark.parametrize(
    ("name", "layer", "weight", "step_size", "steps"),
    [
        ("random_conv1d", "conv1", 500, 0.005, 2500),
        ("random_rnn", "linear", 2500, 0.005, 10_000),
        ("random_bilstm", "linear", 2500, 5e-5, 10_000),
    ],
)
def test_random_networks_transfer_magnitudes(name, layer, weight, step_size, steps):
    config = transfer_config(name)
    assert config.network.frontend.kind == "magnitude"
    assert config.style_layers == {layer: weight}
    assert config.gram_normalization == "normalized_mse"
    assert (config.optimizer.kind, config.optimizer.steps) == ("adam", steps)
    assert config.optimizer.step_size == step_size


def test_the_random_convolution_has_no_activation():
    """Then it is linear, apart from its bias."""
    config = transfer_config("random_conv1d", "network.options.filters=8")
    network = FeatureNetwork.build(config.network).model
    image = tf.constant(np.random.default_rng(0).random((1, 1025, 4, 1)), tf.float32)
    bias = network(0 * image)
    np.testing.assert_allclose(network(2 * image) - bias, 2 * (network(image) - bias), atol=1e-4)
    assert np.min(network(image)) < 0


def test_vgg19_of_dreaming_in_music_has_the_cited_layers_and_steps():
    config = transfer_config("vgg19_dreaming_in_music")
    blocks = ["block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2", "block3_conv1"]
    assert list(config.style_layers) == blocks
    assert len(set(config.style_layers.values())) == 1
    assert list(config.content_layers) == ["block2_conv2"]
    assert config.content_weight / config.style_weight == 1e-3
    assert (config.optimizer.kind, config.optimizer.steps) == ("lbfgs", 300)
    assert (config.init, config.canvas.kind) == ("content", "picture")
    assert config.network.frontend.level_range == "min_max"


@pytest.mark.parametrize(
    ("name", "early", "full"), [("vgg19_lil_data", 10, 100), ("lil_data", 100, 500)]
)
def test_early_stops_differ_only_in_their_steps(name, early, full):
    stopped, complete = transfer_config(f"{name}_early"), transfer_config(name)
    assert (stopped.optimizer.steps, complete.optimizer.steps) == (early, full)
    assert (complete.init, complete.canvas.kind) == ("content", "picture")
    optimizer = stopped.optimizer.model_copy(update={"steps": full})
    assert stopped.model_copy(update={"optimizer": optimizer}) == complete


@pytest.mark.usefixtures("eagerly")
def test_the_style_loss_of_magnitudes_falls(tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "style.wav", rng.uniform(-0.5, 0.5, SAMPLES), RATE)
    config = transfer_config(
        "random_conv1d",
        "network.options.filters=64",
        f"network.sample_rate={RATE}",
        "network.clip_seconds=0.5",
        "network.frontend.stft={n_fft: 256, hop_samples: 64}",
        "optimizer.steps=20",
        "optimizer.step_size=0.05",
        "tiles.overlap_seconds=0",
    )
    network = FeatureNetwork.build(config.network)
    optimizer = style_tile_optimizer(tmp_path / "style.wav", network, config)
    _, measures = optimizer.process(tone_tiles())
    assert measures["style_loss_after"] < 0.8 * measures["style_loss_before"]


# Raw audio


def tone_tiles():
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SAMPLES) / RATE)
    channels = tone.astype(np.float32)[np.newaxis, :, np.newaxis]
    return Tiles(channels, np.ones(1), np.zeros(1, int), np.zeros(1, int))


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3"])
def test_a_layer_of_the_raw_network_is_inverted_from_noise(layer):
    config = load(
        f"dream/raw_inversion_{layer}",
        DreamConfig,
        ["tiles.overlap_seconds=0", "optimizer.steps=15"],
    )
    assert (config.objective, config.init) == (f"-content({layer})", "noise")
    assert config.normalize == "limit"
    keras.utils.set_random_seed(0)
    model = classifiers.build(ModelConfig(name="raw_conv1d"), (SAMPLES, 1), 2)
    raw = SimpleNamespace(
        model=model, frontend=RawFrontend(), sample_rate=RATE, input_samples=SAMPLES
    )
    objective = parse(config.objective, layer, [])
    objectives = Objectives(lambda size: (objective, {"objective": objective}), Goal("objective"))
    values = []
    optimizer = build_tile_optimizer(raw, config, objectives, init=noise)
    _, measures = optimizer.process(tone_tiles(), lambda value, render: values.append(value))
    # The distance from the original, which noise has at the first step, falls to a fifth.
    assert measures["objective_after"] > 0.2 * values[0]


def test_content_and_style_on_raw_audio_start_from_noise():
    config = transfer_config("raw_content_style")
    assert (config.network.kind, config.init, config.canvas.kind) == ("run", "noise", "waveform")
    assert set(config.style_layers) == {"conv1", "conv2", "conv3"}
    assert config.content_layers and config.content_weight > 0
