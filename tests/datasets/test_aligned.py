import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets.aligned import AlignedClips
from tfdream.datasets.clip_set import ClipSet, evenly_spaced
from tfdream.datasets.manifest import Dataset, Shard
from tfdream.errors import DatasetError


def clips(folder, **tracks):
    """A clip set from the numbers of clips of tracks, such as flute_1=2."""
    labels = sorted({name.split("_")[0] for name in tracks})
    shard = Shard(
        name="shard.tfrecord",
        fold=0,
        clips=sum(tracks.values()),
        bytes=100_000,
        sha256="",
        tracks={f"{name.replace('_', '/')}.wav": count for name, count in tracks.items()},
        track_labels=[labels.index(name.split("_")[0]) for name in tracks],
    )
    dataset = Dataset.model_construct(folder=folder, labels=labels, shards=[shard], skipped=[])
    return ClipSet(dataset, (shard,))


def test_targets_have_the_score_and_styles_the_instrument_of_the_target(tmp_path):
    # ids: flute 1: 0, 1; flute 2: 2; horn 1: 3, 4; horn 3: 5; oboe 2: 6; oboe 4: 7
    aligned = AlignedClips(
        clips(tmp_path, flute_1=2, flute_2=1, horn_1=2, horn_3=1, oboe_2=1, oboe_4=1)
    )
    assert aligned.content_ids.tolist() == [0, 1, 2, 3, 4, 6]
    targets, styles = {}, {}
    for seed in range(40):
        seeds = tf.constant([[seed, 0], [seed, 1]])
        target, style = aligned.draw(tf.constant(aligned.content_ids), seeds)
        for content, one, other in zip(aligned.content_ids, target, style, strict=True):
            targets.setdefault(int(content), set()).add(int(one))
            styles.setdefault(int(one), set()).add(int(other))
    assert targets == {0: {3}, 1: {4}, 2: {6}, 3: {0}, 4: {1}, 6: {2}}
    assert styles == {3: {5}, 4: {5}, 6: {7}, 0: {2}, 1: {2}, 2: {0, 1}}


def test_the_styles_of_an_instrument_with_many_clips_are_spread_over_them(tmp_path):
    aligned = AlignedClips(clips(tmp_path, flute_1=1, flute_2=1000, horn_1=1, horn_3=1))
    _, counts = aligned._styles
    assert counts[0] == 64
    assert np.ptp(aligned._styles.ids[0]) == 999


def test_styles_are_selected_once_for_each_score_of_an_instrument(tmp_path, monkeypatch):
    calls = []

    def count_calls(total, count):
        calls.append(total)
        return evenly_spaced(total, count)

    monkeypatch.setattr("tfdream.datasets.aligned.evenly_spaced", count_calls)
    # ids: flute 1: 0, 1; flute 2: 2; flute 1 again: 3, 4; horn 1: 5, 6; horn 3: 7
    ids, counts = AlignedClips(
        clips(tmp_path, flute_1=2, flute_2=1, flute_again_1=2, horn_1=2, horn_3=1)
    )._styles
    styles = [row[:count].tolist() for row, count in zip(ids, counts, strict=True)]
    assert styles == [[2], [2], [0, 1, 3, 4], [2], [2], [7], [7], [5, 6]]
    assert len(calls) == 4


@pytest.mark.parametrize("tracks", [{"flute_1": 4, "flute_2": 4}, {"flute_1": 1, "horn_1": 1}])
def test_clips_without_a_triple_are_an_error(tmp_path, tracks):
    with pytest.raises(DatasetError, match="files of the same name"):
        AlignedClips(clips(tmp_path, **tracks))
