"""What holds of any input, tried on inputs that hypothesis makes up.

A few examples by default, the same ones each time; `HYPOTHESIS_PROFILE=thorough` tries many more.
"""

import os
import string
from contextlib import suppress

import numpy as np
import soundfile
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tfdream import audio, config
from tfdream.audio import streams
from tfdream.config import DreamConfig, Experiment, PrepareConfig, StftSpec
from tfdream.datasets import records
from tfdream.datasets.preparation import cutting
from tfdream.errors import ConfigError, TfdreamError
from tfdream.io import documents
from tfdream.signal import stft
from tfdream.synthesis.ascent import expressions
from tfdream.synthesis.rendering.tiles import TileGrid, change_file

FOR_ALL = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("few", max_examples=12, derandomize=True, database=None, **FOR_ALL)
settings.register_profile("thorough", max_examples=500, **FOR_ALL)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))

seeds = some.integers(0, 2**32 - 1)
names = some.text(string.ascii_letters + "ü🎵 $%'[]", min_size=1, max_size=20)
plain = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=9), inner),
    max_leaves=9,
)


def sound(seed, samples, channels=1):
    values = np.random.default_rng(seed).uniform(-0.9, 0.9, (samples, channels))
    return values.astype(np.float32)


def cut(samples, lengths):
    """A stream of blocks of these lengths, again and again."""
    start = 0
    while start < len(samples):
        for length in lengths:
            yield samples[start : start + length]
            start += length


blocks = some.lists(some.integers(1, 700), min_size=1, max_size=4)

CODECS = [codec for codec in ("pcm16", "flac") if records.decodes(codec)]


@given(seeds, some.integers(1, 3000), some.integers(1, 8), some.sampled_from([8000, 44100, 192000]))
def test_a_float_file_holds_what_was_written(tmp_path, seed, samples, channels, rate):
    values = sound(seed, samples, channels)
    path = tmp_path / "a.wav"
    audio.write(path, values, rate, 32)
    found, found_rate = audio.read(path)
    assert found_rate == rate
    assert np.array_equal(found, values)


@given(seeds, some.integers(1, 3000), blocks, some.integers(1, 2000))
def test_cutting_a_stream_anew_changes_nothing(seed, samples, lengths, size):
    values = sound(seed, samples, 2)
    pieces = list(streams.rechunk(cut(values, lengths), size))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert np.array_equal(np.concatenate(pieces), values)


@given(seeds, some.integers(1, 3000), blocks, some.integers(0, 4000), some.integers(0, 4000))
def test_trimming_a_stream_is_slicing_it(seed, samples, lengths, start, end):
    values = sound(seed, samples)
    pieces = list(streams.trim(cut(values, lengths), start, end))
    wanted = values[start : max(start, samples - end)]
    assert np.array_equal(np.concatenate([np.zeros((0, 1), np.float32), *pieces]), wanted)


@given(seeds, some.integers(1, 3000), blocks, some.sampled_from([(1, 1), (2, 1), (1, 3), (5, 4)]))
def test_resampling_does_not_see_where_blocks_end(seed, samples, lengths, rates):
    source, target = (8000 * rate for rate in rates)
    values = sound(seed, samples)
    whole = [np.zeros((0, 1)), *streams.resample([values], source, target)]
    cut_up = [np.zeros((0, 1)), *streams.resample(cut(values, lengths), source, target)]
    # soxr's arithmetic is that of float32 and its blocks.
    np.testing.assert_allclose(np.concatenate(cut_up), np.concatenate(whole), atol=1e-5)
    assert abs(len(np.concatenate(whole)) - samples * target / source) <= 2


@given(
    seeds,
    some.integers(8, 128).map(lambda half: 2 * half),
    some.integers(1, 128),
    some.integers(300, 1500),
)
def test_the_inverse_stft_undoes_the_stft(seed, n_fft, hop, samples):
    spec = StftSpec(n_fft=n_fft, hop_samples=min(hop, n_fft // 2))
    values = sound(seed, samples)[None, :, 0]
    back = stft.stft_to_waveform(stft.waveform_to_stft(tf.constant(values), spec), spec, samples)
    np.testing.assert_allclose(back, values, atol=1e-4)  # float32 sums of n_fft terms


@given(
    seeds,
    some.integers(1, 5000),
    some.integers(1, 2),
    some.integers(1, 900),
    some.floats(0, 0.5),
    some.integers(1, 4),
)
def test_tiles_that_are_not_changed_give_the_recording_back(
    tmp_path, seed, samples, channels, tile, overlap, batch
):
    path, output = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(path, sound(seed, samples, channels), 8000, "FLOAT")
    grid = TileGrid(tile, int(overlap * tile), batch)
    change_file(path, output, 8000, grid, lambda tiles: tiles.channels, 32)
    assert np.array_equal(audio.read(output)[0], audio.read(path)[0])


@given(seeds, some.sampled_from(CODECS), names, some.integers(0, 2**31))
def test_a_record_holds_its_clip(tmp_path, seed, codec, track, label):
    how = PrepareConfig(sample_rate=8000, clip_seconds=0.02, codec=codec)
    pcm = np.random.default_rng(seed).integers(-32768, 32768, how.clip_samples)
    encoded = cutting.encode(pcm / 32768, how)
    shard = records.write_shard(tmp_path, "shard", 0, [(track, label, encoded)])
    (serialized,) = tf.data.TFRecordDataset(str(tmp_path / "shard"))
    found = records.parse(serialized, how)
    assert np.array_equal(found["waveform"], (pcm / 32768).astype(np.float32))
    assert (found["track"].numpy().decode(), int(found["label"])) == (track, label)
    assert not list(records.damaged(tmp_path, [shard]))


@given(some.dictionaries(some.sampled_from(["prepare", "frontend", "model", "task", "x"]), plain))
def test_any_mapping_is_a_configuration_or_a_config_error(content):
    for schema in (Experiment, DreamConfig):
        try:
            found = config.validate(content, schema, "made up")
        except ConfigError as error:
            assert "made up" in str(error)
        else:
            assert config.validate(found.model_dump(mode="json"), schema, "dumped") == found
    with suppress(ConfigError):
        config.validate_experiment(content, "made up")


@given(some.text(alphabet="ab: -[]{}&*!#|>'\"\n\t0.,?<~", max_size=40))
def test_any_text_is_yaml_or_a_value_error(text):
    try:
        documents.parse_yaml(text)
    except ValueError as error:
        assert str(error)


fragments = ["layer_norm(", "conv1", "unit(", *"),*-+2'(=\0", "1e999", "9" * 400]


@given(some.lists(some.sampled_from(fragments), max_size=12).map("".join))
@example("-" * 20_000 + "1")
@example("(" * 500 + "1" + ")" * 500)
def test_any_text_is_an_objective_or_a_config_error(text):
    with suppress(ConfigError):
        expressions.parse(text, "conv1")


@given(some.binary(max_size=200), some.sampled_from([".wav", ".flac", ".ogg", ".mp3", ".aiff"]))
def test_any_bytes_are_a_recording_or_an_audio_error(tmp_path, content, extension):
    path = tmp_path / f"a{extension}"
    path.write_bytes(content)
    try:
        audio.read(path)
    except TfdreamError as error:
        assert str(error).splitlines() == [str(error)]
