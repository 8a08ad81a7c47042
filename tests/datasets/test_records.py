import hashlib
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import PrepareConfig
from tfdream.datasets import records
from tfdream.datasets.preparation import cutting
from tfdream.errors import DatasetError
from tfdream.evaluation.classification import evaluate
from tfdream.training.classification import train


def settings(codec):
    return PrepareConfig(sample_rate=8000, clip_seconds=0.5, codec=codec)


@pytest.fixture
def samples():
    """Noise, and the extremes of 16 bits."""
    noise = np.random.default_rng(0).uniform(-1, 1, 3996)
    return np.concatenate([noise, [-1.0, 32767 / 32768, 0.0, -1 / 32768]])


@pytest.fixture(params=["pcm16", "flac"])
def codec(request):
    if request.param == "flac":
        pytest.importorskip("tensorflow_io")
    return request.param


def test_both_codecs_decode_to_the_16_bit_samples_in_the_graph(samples, codec):
    config = settings(codec)
    decode = tf.function(lambda encoded: records.decode(encoded, config))
    decoded = decode(tf.constant(cutting.encode(samples, config)))
    assert decoded.dtype == tf.int16
    assert np.array_equal(decoded, np.round(samples * 32768))


def test_a_record_comes_back_with_its_label_and_track(samples, codec, tmp_path):
    config = settings(codec)
    records.write_shard(tmp_path, "shard", 0, [("a/ü.wav", 7, cutting.encode(samples, config))])
    (serialized,) = tf.data.TFRecordDataset(str(tmp_path / "shard"))
    record = records.parse(serialized, config)
    assert record["label"] == 7
    assert record["track"].numpy().decode() == "a/ü.wav"
    # Half a step of 16 bits, which is what encoding rounds away.
    np.testing.assert_allclose(record["waveform"], samples, atol=0.5 / 32768, rtol=0)
    assert record["waveform"].dtype == tf.float32


def test_a_codec_that_nothing_here_decodes_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    records.check_codec(settings("pcm16"))
    with pytest.raises(DatasetError, match=r"codec=flac .* prepare.codec=pcm16"):
        records.check_codec(settings("flac"))


def test_a_shard_knows_what_it_holds(tmp_path):
    clip = bytes(8000)
    shard = records.write_shard(
        tmp_path, "fold2-00000.tfrecord", 2, [("a", 0, clip), ("b", 1, clip), ("a", 0, clip)]
    )
    content = (tmp_path / shard.name).read_bytes()
    assert shard.tracks == {"a": 2, "b": 1}
    assert shard.track_labels == [0, 1]
    assert (shard.fold, shard.clips, shard.bytes) == (2, 3, len(content))
    assert shard.sha256 == hashlib.sha256(content).hexdigest()


def test_an_interrupted_shard_leaves_nothing(tmp_path):
    def interrupted():
        yield "a", 0, bytes(8000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write_shard(tmp_path, "shard", 0, interrupted())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def copy(dataset, tmp_path):
    """A dataset that may be damaged."""
    return shutil.copytree(dataset, tmp_path / "dataset")


def rewrite(folder, change):
    path = folder / records.DESCRIPTION
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_dataset_is_read_as_it_was_written(dataset):
    found = records.load(dataset)
    assert found.labels == ["noise", "tones"]
    assert found.clips == sum(found.clips_per_label.values()) == 37
    assert found.tracks == 12
    assert found.folds == [0, 1, 2]
    assert [shard.fold for shard in found.shards] == sorted(shard.fold for shard in found.shards)


def test_the_shards_of_some_folds_are_theirs(dataset):
    found = records.load(dataset)
    assert {shard.fold for shard in found.fold_shards([0, 2])} == {0, 2}
    with pytest.raises(DatasetError, match=r"fold 3 is not in the dataset \(folds: \[0, 1, 2\]\)"):
        found.fold_shards([0, 3])


def test_a_folder_without_a_description_is_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="run tfdream prepare first"):
        records.load(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format": "1"}', '{"format": 1, "labels": 3}', "\0"]
)
def test_a_foreign_description_is_a_dataset_error(copy, content):
    (copy / records.DESCRIPTION).write_text(content)
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        records.load(copy)


@pytest.fixture
def of_format_1(copy):
    """The same dataset as it was described once: without the labels of tracks."""

    def change(content):
        content["format"] = 1
        for shard in content["shards"]:
            del shard["track_labels"]

    rewrite(copy, change)
    return copy


def test_the_labels_of_tracks_are_known_or_read(dataset, of_format_1):
    for folder in (dataset, of_format_1):
        found = records.load(folder)
        assert {
            track: found.labels[label]
            for shard in found.shards
            for track, label in zip(shard.tracks, records.track_labels(folder, shard), strict=True)
        } == {track: track.split("/")[0] for shard in found.shards for track in shard.tracks}
    own, other = (
        records.count_clips_per_fold(folder, records.load(folder))
        for folder in (dataset, of_format_1)
    )
    for counts, same in zip(own, other, strict=True):
        assert np.array_equal(counts, same)
    assert [int(counts.sum()) for counts in own] == [37, 12]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("clips", 1, "clips=1 is not the sum"),
        ("track_labels", [0], "track_labels are 1 for"),
        ("track_labels", None, "label 2 of shard"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(copy, key, value, words):
    def change(content):
        shard = content["shards"][0]
        shard[key] = value or [2] * len(shard["tracks"])

    rewrite(copy, change)
    with pytest.raises(DatasetError, match=rf"{words}.*--force"):
        records.load(copy)


def test_any_record_is_found_by_its_number(dataset):
    found = records.load(dataset)
    every = [record.numpy() for record in records.serialized(dataset, found.shards)]
    read = records.record_reader(dataset, found.shards)
    order = np.random.default_rng(0).permutation(len(every))
    records_in_order = tf.data.Dataset.from_tensor_slices(order).map(read).as_numpy_iterator()
    assert [every[number] for number in order] == list(records_in_order)


def test_a_damaged_record_is_noticed_by_who_wants_it_alone(copy):
    shard = flip(copy)
    found = records.load(copy)
    read = records.record_reader(copy, found.shards)
    read(tf.constant(0, tf.int64))
    with (
        pytest.raises(DatasetError, match=rf"{shard.name}' holds other bytes"),
        records.report_corrupt_shards({copy: found}),
    ):
        for number in range(shard.clips):
            read(tf.constant(number, tf.int64))


def test_a_newer_format_asks_for_a_newer_program(copy):
    rewrite(copy, lambda content: content.update(format=records.FORMAT + 1))
    with pytest.raises(DatasetError, match="newer tfdream"):
        records.load(copy)


def test_a_truncated_shard_is_named(copy):
    shard = sorted(copy.glob("*.tfrecord"))[0]
    size = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=f"{shard.name}' has {size - 1} bytes instead of {size}"):
        records.load(copy)


@pytest.mark.parametrize("name", ["../shard", "/etc/passwd", "..", "a/b", "a\nb", ""])
def test_a_shard_never_lies_outside_of_its_dataset(copy, name):
    rewrite(copy, lambda content: content["shards"][0].update(name=name))
    with pytest.raises(DatasetError, match=r"shards\.0\.name"):
        records.load(copy)


def test_a_missing_shard_is_named(copy):
    shard = sorted(copy.glob("*.tfrecord"))[-1]
    shard.unlink()
    with pytest.raises(DatasetError, match=rf"{shard.name}' is missing.*--force"):
        records.load(copy)


def flip(folder):
    """Turn over a bit of one record, which leaves the file's size; return its shard."""
    shard = records.load(folder).shards[0]
    path = folder / shard.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return shard


def test_a_whole_dataset_passes_its_check(dataset):
    found = records.load(dataset)
    told = records.check(dataset)
    assert (told["shards"], told["clips"]) == (len(found.shards), 37)


def test_a_flipped_bit_is_found_by_the_check(copy):
    shard = flip(copy)
    with pytest.raises(DatasetError, match=rf"1 damaged shards.*'{shard.name}' holds other bytes"):
        records.check(copy)


def test_a_shard_that_cannot_be_read_is_named(copy):
    shard = flip(copy)
    found = records.load(copy)
    with (
        pytest.raises(DatasetError, match=rf"{shard.name}' holds other bytes.*--force"),
        records.report_corrupt_shards({copy: found}),
    ):
        list(tf.data.TFRecordDataset([str(copy / each.name) for each in found.shards]))


def test_an_error_that_is_no_damage_stays_what_it_was(dataset):
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        records.report_corrupt_shards({dataset: records.load(dataset)}),
    ):
        tf.reshape(tf.zeros(3), [2])


def test_evaluation_and_training_name_a_damaged_shard(copy, configure, run, tmp_path, eagerly):
    shard = flip(copy)
    with pytest.raises(DatasetError, match=shard.name):
        evaluate(run, copy, [shard.fold])
    with pytest.raises(DatasetError, match=shard.name):
        train(configure("training.epochs=1"), copy, tmp_path / "run", test_fold=1)
    assert not (tmp_path / "run" / "model.weights.h5").exists()


def test_a_full_disk_is_told_of_a_shard(tmp_path, monkeypatch):
    class Full:
        def __init__(self, path):
            pass

        def __enter__(self):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    with pytest.raises(DatasetError, match=r"shard' cannot be written \(No space left.*make room"):
        records.write_shard(tmp_path, "shard", 0, [("a", 0, bytes(8))])
    assert list(tmp_path.iterdir()) == []
