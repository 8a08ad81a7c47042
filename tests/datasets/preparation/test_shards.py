import hashlib
from pathlib import Path

from tfdream.config import PrepareConfig
from tfdream.datasets.preparation import shards
from tfdream.datasets.preparation.shards import PlannedShard, ShardContext
from tfdream.datasets.sources.tracks import Skipped, Track


def track(name, label):
    return Track(name, Path(name), label, group=name)


def write(folder, results):
    planned = PlannedShard(7, 2, [one for one, _ in results])
    context = ShardContext(folder, ["jazz", "rock"], PrepareConfig())
    return shards.write(planned, results, context)


def test_a_written_shard_is_described(tmp_path):
    clip, skipped = bytes(8000), Skipped("b", "is damaged")
    results = [
        (track("a", "rock"), [clip, clip]),
        (track("b", "rock"), skipped),
        (track("c", "jazz"), [clip]),
    ]
    written = write(tmp_path, results)
    shard = written.shard
    content = (tmp_path / "fold2-00007.tfrecord").read_bytes()
    assert (written.number, written.skipped) == (7, [skipped])
    assert shard.name == "fold2-00007.tfrecord"
    assert shard.tracks == {"a": 2, "c": 1}
    assert shard.track_labels == [1, 0]
    assert (shard.fold, shard.clips, shard.bytes) == (2, 3, len(content))
    assert shard.sha256 == hashlib.sha256(content).hexdigest()


def test_a_shard_without_clips_is_not_written(tmp_path):
    written = write(tmp_path, [(track("a", "rock"), Skipped("a", "is damaged"))])
    assert written.shard is None
    assert written.skipped == [("a", "is damaged")]
    assert not list(tmp_path.iterdir())
