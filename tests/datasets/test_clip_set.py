from dataclasses import replace

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import PrepareConfig
from tfdream.datasets import manifest, records
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import DatasetError


@pytest.fixture(scope="module")
def select(loaded):
    """A function that selects clips of a label in some folds, by default in all."""

    def make(label=None, *folds, first_clips=None):
        return ClipSet.from_folds(loaded, folds or loaded.folds, label, first_clips)

    return make


def parse(clip_set, serialized):
    return records.parse(serialized, clip_set.dataset.config)


def read(clip_set, ids):
    """Read clips by id: labels, tracks and waveforms as bytes."""
    parsed = [parse(clip_set, clip_set.read(tf.constant(clip_id, tf.int64))) for clip_id in ids]
    return [
        (int(clip["label"]), clip["track"].numpy().decode(), clip["waveform"].numpy().tobytes())
        for clip in parsed
    ]


def test_a_set_contains_the_clips_of_its_label_alone(select, loaded):
    complete = select(None, 1)
    everything = read(complete, complete.clip_ids)
    for index, label in enumerate(loaded.labels):
        chosen = select(label, 1)
        expected = [clip for clip in everything if clip[0] == index]
        assert read(chosen, chosen.clip_ids) == expected  # in the order of the records
        assert sorted(read(chosen, chosen.interleaved_ids)) == sorted(expected)
        waveforms = sorted(waveform.tobytes() for waveform in chosen.waveforms())
        assert waveforms == sorted(clip[2] for clip in expected)
        assert chosen.clips == len(expected)
        assert not chosen.is_complete
    assert complete.is_complete


def test_a_complete_set_contains_the_clips_of_all_labels(select, loaded):
    assert select().clips == select("noise").clips + select("tones").clips == loaded.clips
    with pytest.raises(DatasetError, match="fold 3 is not in the dataset"):
        select(None, 1, 3)


def test_records_are_those_that_ids_read(select, loaded):
    clip_set = select()
    serialized = list(clip_set.records_in_order().as_numpy_iterator())
    assert len(serialized) == loaded.clips
    assert read(clip_set, [0, 20, 36]) == [
        (int(clip["label"]), clip["track"].numpy().decode(), clip["waveform"].numpy().tobytes())
        for clip in (parse(clip_set, serialized[index]) for index in (0, 20, 36))
    ]
    assert np.array_equal(
        clip_set.waveform(tf.constant(20, tf.int64)), parse(clip_set, serialized[20])["waveform"]
    )


def test_ids_and_records_are_streamed_with_shards_in_turns(select):
    clip_set = select()
    shards = len(clip_set.shards)
    order = tf.constant(np.random.default_rng(0).permutation(shards), tf.int32)
    ids = list(clip_set.stream_ids(order).as_numpy_iterator())
    streamed = list(clip_set.stream_records(order).as_numpy_iterator())
    every = list(clip_set.records_in_order().as_numpy_iterator())
    assert streamed == [every[clip_id] for clip_id in ids]
    assert sorted(ids) == list(range(clip_set.clips))
    natural = tf.range(shards)
    assert list(clip_set.stream_ids(natural).as_numpy_iterator()) == list(clip_set.interleaved_ids)
    tracks = [clip[1] for clip in read(clip_set, ids[:shards])]
    assert len(set(tracks)) == shards  # one from each shard


def test_the_first_clips_do_not_depend_on_the_order_of_the_shards(select):
    few = select("tones", first_clips=3)
    assert few.clips == 3
    expected = select("tones").interleaved_ids[:3].tolist()
    assert few.interleaved_ids.tolist() == expected
    assert few.clip_ids.tolist() == sorted(expected)
    backward = tf.range(len(few.shards))[::-1]
    assert list(few.stream_ids(backward).as_numpy_iterator()) == expected
    assert select("tones", 1, first_clips=99).clips == select("tones", 1).clips


def test_only_requested_clips_are_read(select, copy, damage):
    complete = select()
    damage.erase(copy, complete.shards[1:])
    damaged = replace(complete, dataset=manifest.load(copy))
    assert damaged.clips == complete.clips
    (first,) = damaged.waveforms(1)
    assert np.array_equal(first, next(complete.waveforms()))
    with pytest.raises(tf.errors.DataLossError):
        list(damaged.waveforms(2))


def test_some_waveforms_are_spread_over_all(select):
    chosen = select("noise")
    every = [waveform.tobytes() for waveform in chosen.waveforms()]
    assert len(every) == chosen.clips
    for count in (1, 2, 7):
        places = [every.index(waveform.tobytes()) for waveform in chosen.waveforms(count)]
        assert places == sorted(set(places))
        assert len(places) == count
        assert places[0] == 0
        if count > 1:
            assert places[-1] == chosen.clips - 1
            assert np.ptp(np.diff(places)) <= 1
    assert len(list(chosen.waveforms(100))) == chosen.clips


def test_folds_without_a_clip_of_a_label_are_an_error(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("rare/0.wav", "common/0.wav", "common/1.wav", "common/2.wav"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "source" / name, rng.uniform(-0.1, 0.1, 4000), 8000)
    settings = PrepareConfig(sample_rate=8000, clip_seconds=0.5, folds=3)
    prepare(tmp_path / "source", tmp_path / "dataset", settings, PrepareOptions(workers=1))
    loaded = manifest.load(tmp_path / "dataset")
    counts = []
    for fold in loaded.folds:
        rare = ClipSet.from_folds(loaded, [fold], "rare")
        try:
            counts.append(rare.clips)
        except DatasetError as error:
            assert f"no clip of 'rare' in the folds [{fold}]; use another --test-fold" in str(error)
    assert counts == [1]
