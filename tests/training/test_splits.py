import pytest

from tfdream.errors import ConfigError, DatasetError
from tfdream.training import splits


def folds(info):
    return info.test_fold, info.validation_fold, info.training_folds


def test_folds_are_assigned_to_training_validation_and_test(loaded):
    for validate_on, test_fold, expected in (
        ("test", 0, (0, 0, [1, 2])),
        ("next", 1, (1, 2, [0])),
        ("next", 2, (2, 0, [1])),
        ("none", 1, (1, None, [0, 2])),
        ("none", None, (None, None, [0, 1, 2])),
    ):
        assert folds(splits.split(loaded, validate_on, test_fold)) == expected


def test_the_dataset_is_described(loaded, dataset):
    info = splits.split(loaded, "test", 0)
    assert info.labels == ["noise", "tones"]
    assert (info.dataset, info.dataset_fingerprint) == (dataset.name, loaded.fingerprint)
    assert info.versions["tensorflow"].startswith("2.")


def test_impossible_splits_are_refused(loaded):
    two = loaded.model_copy(update={"shards": loaded.fold_shards([0, 1])})
    for dataset, validate_on, test_fold, message in (
        (loaded, "test", 3, r"test_fold=3 is not in the dataset \(folds: \[0, 1, 2\]\)"),
        (loaded, "test", None, "set training.validate_on=none too"),
        (two, "next", 0, r"leave no fold .* more folds"),
    ):
        with pytest.raises(ConfigError, match=message):
            splits.split(dataset, validate_on, test_fold)


def test_clips_of_another_sample_rate_or_length_are_refused(loaded, configure):
    splits.check_clips(configure(), loaded)
    for setting, value in (("sample_rate", 16000), ("clip_seconds", 0.5)):
        with pytest.raises(DatasetError, match=rf"{setting}=.* requires {value}.*--set prepare"):
            splits.check_clips(configure(f"prepare.{setting}={value}"), loaded)


def test_every_other_difference_of_the_clips_is_named(loaded, configure, caplog):
    splits.check_clips(configure("prepare.folds=5", "prepare.seed=3"), loaded)
    assert not caplog.records  # neither changes a clip
    settings = {"skip_start_seconds": 0.5, "tail": "repeat", "min_fill": 0.25}
    overrides = [f"prepare.{name}={value}" for name, value in settings.items()]
    splits.check_clips(configure(*overrides), loaded)
    (record,) = caplog.records
    for name, value in settings.items():
        assert f"{name}={getattr(loaded.config, name)} instead of {value}" in record.message
    assert f"'{loaded.folder}' was prepared with other settings" in record.message


def test_overridden_settings_that_the_dataset_does_not_have_are_refused(loaded, configure):
    names = {"folds", "split", "seed", "min_fill"}
    actual = loaded.config
    fitting = f"prepare.folds={len(loaded.folds)}", f"prepare.seed={actual.seed}"
    splits.check_overridden(configure(*fitting, "prepare.min_fill=0.25"), loaded, names)
    for setting, value in (("folds", 10), ("split", "segments"), ("seed", actual.seed + 1)):
        other = configure(f"prepare.{setting}={value}")
        splits.check_overridden(other, loaded, names - {setting})
        with pytest.raises(DatasetError, match=rf"{setting}=.*prepare\.{setting}={value} is req"):
            splits.check_overridden(other, loaded, names)


def test_labels_that_only_a_held_out_fold_has_are_refused(loaded):
    def only(label, shard):
        tracks = [
            (name, count)
            for (name, count), index in zip(shard.tracks.items(), shard.track_labels, strict=True)
            if index == label
        ]
        counts = {"tracks": dict(tracks), "track_labels": [label] * len(tracks)}
        return shard.model_copy(update=counts)

    shards = [only(0 if shard.fold else 1, shard) for shard in loaded.shards]
    dataset = loaded.model_copy(update={"shards": shards})
    with pytest.raises(DatasetError, match=r"test fold 0 has the labels tones, which the training"):
        splits.check_labels(dataset, splits.split(dataset, "test", 0))
    with pytest.raises(DatasetError, match=r"validation fold 0 .* --set prepare.split=segments"):
        splits.check_labels(dataset, splits.split(dataset, "next", 2))
    splits.check_labels(dataset, splits.split(dataset, "none", 1))
    splits.check_labels(loaded, splits.split(loaded, "next", 0))
