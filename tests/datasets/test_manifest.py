import json

import pytest
import tensorflow as tf

from tfdream.datasets import manifest, read_errors
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import DatasetError
from tfdream.evaluation.classification import evaluate
from tfdream.training.train import TrainOptions, train


def rewrite(folder, change):
    """Change the content of a manifest."""
    path = folder / manifest.MANIFEST
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def change_shard(folder, **values):
    """Change entries of the first shard."""
    rewrite(folder, lambda content: content["shards"][0].update(values))


# Loading


def test_a_dataset_is_loaded_as_it_was_written(loaded, dataset):
    assert loaded.folder == dataset
    assert manifest.load(str(dataset)) == loaded
    assert loaded.labels == ["noise", "tones"]
    assert loaded.clips == sum(loaded.clips_per_label.values()) == 37
    assert loaded.tracks == 12
    assert loaded.folds == [0, 1, 2]
    assert [shard.fold for shard in loaded.shards] == sorted(shard.fold for shard in loaded.shards)


def test_the_folder_is_not_part_of_the_manifest(loaded, dataset):
    content = json.loads((dataset / manifest.MANIFEST).read_text())
    assert content["format"] == manifest.FORMAT == 3
    assert "folder" not in content
    assert "folder" not in loaded.model_dump()


def test_shards_are_selected_by_fold(loaded):
    assert {shard.fold for shard in loaded.fold_shards([0, 2])} == {0, 2}
    assert manifest.count_clips(loaded.shards) == loaded.clips
    with pytest.raises(DatasetError, match=r"fold 3 is not in the dataset \(folds: \[0, 1, 2\]\)"):
        loaded.fold_shards([0, 3])


def test_tracks_and_clips_have_labels(loaded):
    for shard in loaded.shards:
        labels = [loaded.labels[label] for label in shard.track_labels]
        assert labels == [track.split("/")[0] for track in shard.tracks]
        tracks = [track for track, clips in shard.tracks.items() for _ in range(clips)]
        assert [loaded.labels[label] for label in shard.clip_labels] == [
            track.split("/")[0] for track in tracks
        ]


def test_clips_and_tracks_are_counted_per_fold_and_label(loaded):
    clips, tracks = loaded.counts_per_fold()
    assert clips.shape == tracks.shape == (3, 2)
    assert clips.sum(axis=0).tolist() == [loaded.clips_per_label[label] for label in loaded.labels]
    assert clips.sum(axis=1).tolist() == [
        manifest.count_clips(loaded.fold_shards([fold])) for fold in loaded.folds
    ]
    assert tracks.tolist() == [[2, 2]] * 3  # six tracks of each label


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="run tfdream prepare first"):
        manifest.load(tmp_path)


def test_an_invalid_manifest_is_a_dataset_error(copy):
    for content in ("", "{", "[]", "{}", '{"format": "3"}', '{"format": 3, "labels": 3}', "\0"):
        (copy / manifest.MANIFEST).write_text(content)
        with pytest.raises(DatasetError, match=r"dataset\.json"):
            manifest.load(copy)


def test_other_formats_are_refused(copy):
    for version in (1, 2, manifest.FORMAT + 1):
        rewrite(copy, lambda content, version=version: content.update(format=version))
        with pytest.raises(DatasetError, match=rf"has format {version}, .* reads format 3; make"):
            manifest.load(copy)


def test_a_contradictory_manifest_is_refused(copy, loaded):
    tracks = len(loaded.shards[0].tracks)
    for values, message in (
        ({"clips": 1}, "clips=1 is not the sum"),
        ({"track_labels": [0]}, "track_labels has 1 entries for"),
        ({"track_labels": [2] * tracks}, "label 2 of shard"),
    ):
        before = loaded.shards[0].model_dump(mode="json")
        change_shard(copy, **before | values)
        with pytest.raises(DatasetError, match=rf"{message}.*--force"):
            manifest.load(copy)


def test_a_shard_is_always_in_the_folder_of_its_dataset(copy):
    for name in ("../shard", "/etc/passwd", "..", "a/b", "a\nb", ""):
        change_shard(copy, name=name)
        with pytest.raises(DatasetError, match=r"shards\.0\.name"):
            manifest.load(copy)


def test_missing_and_truncated_shards_are_named(copy, loaded):
    first, last = copy / loaded.shards[0].name, copy / loaded.shards[-1].name
    last.unlink()
    with pytest.raises(DatasetError, match=rf"{last.name}' is missing.*--force"):
        manifest.load(copy)
    size = first.stat().st_size
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=f"{first.name}' has {size - 1} bytes instead of {size}"):
        manifest.load(copy)


# Damage


def test_an_intact_dataset_passes_the_check(loaded):
    result = manifest.check(str(loaded.folder))
    assert (result["shards"], result["clips"]) == (len(loaded.shards), 37)
    assert result["bytes"] == sum(shard.bytes for shard in loaded.shards)


def test_the_check_names_every_damaged_shard(copy, loaded, damage):
    first, second, *_ = loaded.shards
    damage.flip_bit(copy, first)
    with pytest.raises(DatasetError, match=rf"1 damaged shards.*'{first.name}' has another check"):
        manifest.check(copy)
    damage.flip_bit(copy, second)
    with pytest.raises(DatasetError, match=rf"2 damaged.*'{first.name}'.*'{second.name}'.*--force"):
        manifest.check(copy)


def test_read_errors_name_the_damaged_shard(copy, loaded, damage):
    shard = loaded.shards[0]
    damage.flip_bit(copy, shard)
    opened = manifest.load(copy)
    clips = ClipSet(opened, tuple(opened.shards))
    clips.read(tf.constant(0, tf.int64))

    def read_each():
        for clip_id in range(shard.clips):
            clips.read(tf.constant(clip_id, tf.int64))

    for read in (read_each, lambda: list(clips.records_in_order())):
        with (
            pytest.raises(DatasetError, match=rf"{shard.name}' has another checksum.*--force"),
            read_errors.report_damaged_shards([loaded, opened]),
        ):
            read()


def test_errors_without_damage_are_not_changed(loaded):
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        read_errors.report_damaged_shards([loaded]),
    ):
        tf.reshape(tf.zeros(3), [2])


def test_evaluation_and_training_name_a_damaged_shard(
    copy, loaded, damage, configure, run, tmp_path, eagerly
):
    shard = loaded.shards[0]
    damage.flip_bit(copy, shard)
    with pytest.raises(DatasetError, match=shard.name):
        evaluate(run, copy, [shard.fold])
    with pytest.raises(DatasetError, match=shard.name):
        train(configure("training.epochs=1"), copy, tmp_path / "run", TrainOptions(test_fold=1))
    assert not (tmp_path / "run" / "model.weights.h5").exists()
