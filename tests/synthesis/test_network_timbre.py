import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
import yaml
from calling import EAGERLY

from tfdream import audio, config
from tfdream.config import ModelConfig
from tfdream.config.recipes import TimbreConfig
from tfdream.errors import ConfigError, ModelError
from tfdream.models import transfer
from tfdream.runs import RunInfo, TransferRun, versions
from tfdream.signal.timbre import MelAnalysis, normalize_power
from tfdream.synthesis.mapping import NetworkTimbre, network
from tfdream.synthesis.mapping.base import read_power
from tfdream.synthesis.transfer import MappingTransfer

OPTIONS = "{units: 8, heads: 2, encoder_blocks: 2, decoder_units: 8, decoder_blocks: 2, kernel: 3}"


def test_units_that_heads_cannot_share_are_an_error():
    options = {"units": 100, "heads": 3}
    with pytest.raises(ConfigError, match="units=100 is not a multiple of heads=3; use units=102"):
        transfer.build(ModelConfig(name="attention", options=options), (16, 20, 1))


def test_levels_and_gains_have_single_precision_in_mixed_bfloat16():
    levels = tf.constant(np.random.default_rng(0).normal(0, 20, (2, 1, 12, 16)), tf.float32)
    settings = ModelConfig(name="attention", options=yaml.safe_load(OPTIONS))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(0)
        mixed = transfer.build(settings, (16, 20, 1))
    finally:
        keras.config.set_dtype_policy("float32")
    content, style = levels[0], levels[1]
    features, memory = mixed.encode(content)
    _, style_memory = mixed.encode(style)
    gains = mixed.gains(content, features, memory, style_memory)
    assert (gains.dtype, features.dtype) == (tf.float32, tf.bfloat16)
    np.testing.assert_array_equal(memory.levels, content)
    np.testing.assert_array_equal(mixed((content, style)), gains)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recordings of 3 s at 44.1 kHz, and the first one at 22.05 kHz."""
    folder = tmp_path_factory.mktemp("network_timbre")
    rng = np.random.default_rng(5)
    for name, rate, decay in (("content", 44100, 2.0), ("style", 44100, 0.5), ("low", 22050, 2.0)):
        time = np.arange(3 * rate) / rate
        partials = np.arange(1, 20)[:, None]
        tones = np.sin(2 * np.pi * 220 * partials * time) * np.exp(-decay * np.log(partials))
        noise = 1e-3 * rng.standard_normal(len(time))
        wave = 0.1 * tones.sum(axis=0) * (1 + np.sin(12 * time)) + noise
        soundfile.write(folder / f"{name}.wav", wave, rate, "FLOAT")
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The run of a small network with random weights."""
    experiment = config.load_experiment("timbre_network", [f"model.options={OPTIONS}"])
    info = RunInfo(
        labels=[],
        dataset="none",
        dataset_fingerprint="",
        test_fold=None,
        validation_fold=None,
        training_folds=[0],
        versions=versions(),
    )
    run = TransferRun(tmp_path_factory.mktemp("run"), experiment, info)
    run.create()
    built = run.build_network()
    rng = np.random.default_rng(3)
    built.set_weights(
        [each + 0.05 * rng.standard_normal(each.shape) for each in built.get_weights()]
    )
    run.save_weights(built)
    return run.folder


def analyze(path):
    analysis = MelAnalysis(audio.info(path).sample_rate)
    return analysis, normalize_power(read_power(analysis, path)[0])


def gains(path, model):
    return model.map(*analyze(path))


@EAGERLY
def test_a_fresh_network_changes_nothing_if_content_and_style_are_the_same(folder, run_folder):
    model = NetworkTimbre(folder / "content.wav", TransferRun.open(run_folder).network)
    weights = model.network.correction.get_weights()
    try:
        model.network.correction.set_weights([np.zeros_like(each) for each in weights])
        mapping = gains(folder / "content.wav", model)
    finally:
        model.network.correction.set_weights(weights)
    np.testing.assert_allclose(mapping.gain_db, 0, atol=1e-3)
    np.testing.assert_allclose(mapping.expected, analyze(folder / "content.wav")[1], atol=1e-3)


@EAGERLY
def test_parts_give_the_gains_of_the_whole(folder, run_folder, monkeypatch):
    model = NetworkTimbre(folder / "style.wav", TransferRun.open(run_folder).network)
    whole = gains(folder / "content.wav", model)
    monkeypatch.setattr(network, "_FRAMES", 50)
    parts = gains(folder / "content.wav", model)
    np.testing.assert_allclose(parts.gain_db, whole.gain_db, atol=2e-3)


@EAGERLY
def test_gains_keep_the_power_of_the_content(folder, run_folder):
    model = NetworkTimbre(folder / "style.wav", TransferRun.open(run_folder).network)
    mapping = gains(folder / "content.wav", model)
    _, levels = analyze(folder / "content.wav")
    before, after = (
        10 * np.log10((10 ** (each / 10)).sum(axis=1).mean())
        for each in (levels, levels + mapping.gain_db)
    )
    assert after == pytest.approx(before, abs=0.1)


@EAGERLY
def test_memory_is_limited_to_frames_spread_over_the_style(folder, run_folder, monkeypatch):
    monkeypatch.setattr(network, "_MOST_KEYS", 20)
    model = NetworkTimbre(folder / "style.wav", TransferRun.open(run_folder).network)
    gains(folder / "content.wav", model)
    memory = model.style(analyze(folder / "content.wav")[0])
    assert memory.keys.shape[1] == memory.levels.shape[1] == 20


@EAGERLY
def test_contents_of_lower_sample_rates_have_fewer_bands(folder, run_folder):
    model = NetworkTimbre(folder / "style.wav", TransferRun.open(run_folder).network)
    analysis, levels = analyze(folder / "low.wav")
    mapping = model.map(analysis, levels)
    assert mapping.gain_db.shape == levels.shape
    assert levels.shape[1] < model.network.bands
    assert np.isfinite(mapping.gain_db).all()


def test_a_transfer_by_a_network_names_it_in_the_sidecar(folder, run_folder, tmp_path):
    settings = TimbreConfig(method="timbre", model=str(run_folder))
    transfer = MappingTransfer(folder / "style.wav", settings)
    result = transfer(folder / "content.wav", tmp_path / "out.wav")
    assert result["style_loss_rendered"] == pytest.approx(result["style_loss_after"], rel=0.05)
    assert transfer.provenance(folder / "content.wav")["run"]["folder"] == str(run_folder)


def test_a_network_of_other_levels_is_refused(folder, run_folder, tmp_path):
    run = TransferRun.open(run_folder)
    other = config.load_experiment("timbre_network", ["frontend.bands=64"])
    TransferRun(tmp_path, other, run.info).create()
    settings = TimbreConfig(method="timbre", model=str(tmp_path))
    with pytest.raises(ModelError, match=r"frontend\.bands=64 instead of 80"):
        MappingTransfer(folder / "style.wav", settings)


def test_another_run_is_refused(folder, trained):
    settings = TimbreConfig(method="timbre", model=str(trained[0]))
    with pytest.raises(ModelError, match="a transfer network"):
        MappingTransfer(folder / "style.wav", settings)
