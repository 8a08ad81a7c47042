import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import PrepareConfig
from tfdream.datasets import codecs, records
from tfdream.datasets.preparation import cutting
from tfdream.errors import DatasetError


def settings(codec):
    return PrepareConfig(sample_rate=8000, clip_seconds=0.5, codec=codec)


@pytest.fixture
def samples():
    """Noise, and the extreme values of 16 bits."""
    noise = np.random.default_rng(0).uniform(-1, 1, 3996)
    return np.concatenate([noise, [-1.0, 32767 / 32768, 0.0, -1 / 32768]])


@pytest.fixture(params=["pcm16", "flac"])
def codec(request):
    if request.param == "flac":
        pytest.importorskip("tensorflow_io")
    return request.param


def test_clips_are_decoded_to_16_bit_samples_in_the_graph(samples, codec):
    config = settings(codec)
    decode = tf.function(lambda encoded: records.decode(encoded, config))
    decoded = decode(tf.constant(cutting.encode(samples, config)))
    assert decoded.dtype == tf.int16
    assert np.array_equal(decoded, np.round(samples * 32768))


def test_a_record_contains_the_clip_its_label_and_its_track(samples, codec, tmp_path):
    config = settings(codec)
    path = tmp_path / "shard"
    clips = [samples, samples[::-1]]
    records.write(path, [("a/ü.wav", 7, cutting.encode(clip, config)) for clip in clips])
    serialized = list(tf.data.TFRecordDataset(str(path)))
    batch = records.parse_batch(tf.stack(serialized), config)
    for index, (record, clip) in enumerate(zip(serialized, clips, strict=True)):
        parsed = records.parse(record, config)
        assert parsed["label"] == 7
        assert parsed["track"].numpy().decode() == "a/ü.wav"
        assert parsed["waveform"].dtype == tf.float32
        # Encoding rounds to 16 bits: an error of up to half a step.
        np.testing.assert_allclose(parsed["waveform"], clip, atol=0.5 / 32768, rtol=0)
        for name, value in parsed.items():
            assert np.array_equal(batch[name][index], value)


def test_a_codec_that_cannot_be_decoded_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    codecs.check_codec(settings("pcm16"))
    with pytest.raises(DatasetError, match=r"codec=flac .* prepare.codec=pcm16"):
        codecs.check_codec(settings("flac"))


def test_records_are_read_by_index(loaded):
    paths = [loaded.folder / shard.name for shard in loaded.shards]
    every = list(tf.data.TFRecordDataset([str(path) for path in paths]).as_numpy_iterator())
    read = records.record_reader(paths, [shard.clips for shard in loaded.shards])
    order = np.random.default_rng(0).permutation(len(every))
    results = tf.data.Dataset.from_tensor_slices(order).map(read).as_numpy_iterator()
    assert [every[index] for index in order] == list(results)


def test_an_interruption_leaves_no_file(tmp_path):
    def interrupted():
        yield "a", 0, bytes(8000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write(tmp_path / "shard", interrupted())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported_with_the_shard(tmp_path, monkeypatch):
    class FullDisk:
        def __init__(self, path):
            pass

        def __enter__(self):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(tf.io, "TFRecordWriter", FullDisk)
    with pytest.raises(DatasetError, match=r"shard' cannot be written \(No space left.*free some"):
        records.write(tmp_path / "shard", [("a", 0, bytes(8))])
    assert list(tmp_path.iterdir()) == []
