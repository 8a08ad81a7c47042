"""Properties that hold for any input of several packages, tested with hypothesis."""

import string
from contextlib import suppress

import numpy as np
import soundfile
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import noise, seeds

from tfdream import audio, config
from tfdream.config import DreamConfig, Experiment, PrepareConfig, StftSpec
from tfdream.datasets import codecs, records
from tfdream.datasets.preparation import cutting
from tfdream.errors import ConfigError
from tfdream.io import documents
from tfdream.signal import stft
from tfdream.synthesis.ascent import expressions
from tfdream.synthesis.rendering.tiles import Finish, TileGrid, change_file

names = st.text(string.ascii_letters + "ü🎵 $%'[]", min_size=1, max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


CODECS = [codec for codec in ("pcm16", "flac") if codecs.decodes(codec)]


@given(
    seeds,
    st.integers(8, 128).map(lambda half: 2 * half),
    st.integers(1, 128),
    st.integers(300, 1500),
)
def test_the_inverse_stft_undoes_the_stft(seed, n_fft, hop, samples):
    spec = StftSpec(n_fft=n_fft, hop_samples=min(hop, n_fft // 2))
    values = noise(samples, seed=seed)[None, :, 0]
    back = stft.stft_to_waveform(stft.waveform_to_stft(tf.constant(values), spec), spec, samples)
    np.testing.assert_allclose(back, values, atol=1e-4)  # float32 sums of n_fft terms


@given(
    seeds,
    st.integers(1, 5000),
    st.integers(1, 2),
    st.integers(1, 900),
    st.floats(0, 0.5),
    st.integers(1, 4),
)
def test_unchanged_tiles_reproduce_the_file(
    tmp_path, seed, samples, channels, tile, overlap, batch
):
    path, output = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(path, noise(samples, channels, seed=seed), 8000, "FLOAT")
    grid = TileGrid(tile, int(overlap * tile), batch)
    change_file(path, output, 8000, grid, lambda tiles: tiles.channels, Finish(32))
    assert np.array_equal(audio.read(output)[0], audio.read(path)[0])


@given(seeds, st.sampled_from(CODECS), names, st.integers(0, 2**31))
def test_a_record_contains_its_clip(tmp_path, seed, codec, track, label):
    settings = PrepareConfig(sample_rate=8000, clip_seconds=0.02, codec=codec)
    pcm = np.random.default_rng(seed).integers(-32768, 32768, settings.clip_samples)
    encoded = cutting.encode(pcm / 32768, settings)
    records.write(tmp_path / "shard", [(track, label, encoded)])
    (serialized,) = tf.data.TFRecordDataset(str(tmp_path / "shard"))
    result = records.parse(serialized, settings)
    assert np.array_equal(result["waveform"], (pcm / 32768).astype(np.float32))
    assert (result["track"].numpy().decode(), int(result["label"])) == (track, label)


@given(st.dictionaries(st.sampled_from(["prepare", "frontend", "model", "task", "x"]), plain))
def test_any_mapping_is_a_configuration_or_a_config_error(content):
    for schema in (Experiment, DreamConfig):
        try:
            result = config.validate(content, schema, "test")
        except ConfigError as error:
            assert "test" in str(error)
        else:
            assert config.validate(result.model_dump(mode="json"), schema, "dumped") == result
    with suppress(ConfigError):
        config.validate_experiment(content, "test")


@given(st.text(alphabet="ab: -[]{}&*!#|>'\"\n\t0.,?<~", max_size=40))
def test_any_text_is_yaml_or_a_value_error(text):
    try:
        documents.parse_yaml(text)
    except ValueError as error:
        assert str(error)


fragments = ["layer_norm(", "conv1", "unit(", *"),*-+2'(=\0", "1e999", "9" * 400]


@given(st.lists(st.sampled_from(fragments), max_size=12).map("".join))
@example("-" * 20_000 + "1")
@example("(" * 500 + "1" + ")" * 500)
def test_any_text_is_an_objective_or_a_config_error(text):
    with suppress(ConfigError):
        expressions.parse(text, "conv1")
