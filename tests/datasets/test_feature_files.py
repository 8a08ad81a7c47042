import shutil
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets import feature_files, manifest, records
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError, DatasetError
from tfdream.evaluation.classification import evaluate
from tfdream.runs import Run
from tfdream.signal import features, frontends
from tfdream.signal.frontends.features import FeatureFrontendConfig
from tfdream.training.train import train


@pytest.fixture(scope="module")
def folder(dataset, tmp_path_factory):
    """A dataset in which features may be stored."""
    return shutil.copytree(dataset, tmp_path_factory.mktemp("features") / "dataset")


@pytest.fixture(scope="module")
def config(experiment):
    frontend = FeatureFrontendConfig(kind="features", stft={"n_fft": 512, "hop_samples": 256})
    return Experiment(prepare=experiment.prepare, frontend=frontend, model={"name": "feature_cnn"})


def build_frontend(config):
    return frontends.build(config.frontend, config.prepare.sample_rate)


def load_or_compute(folder, config, folds=None):
    loaded = manifest.load(folder)
    clips = ClipSet.from_folds(loaded, folds or loaded.folds)
    return feature_files.load_or_compute(clips, build_frontend(config))


def list_files(folder):
    return sorted((folder / feature_files.FOLDER).rglob("*.h5"))


@pytest.fixture(scope="module")
def computed(folder, config):
    """The features of all clips, which are stored after this."""
    return load_or_compute(folder, config)


def test_features_are_those_of_each_clip(computed, loaded, config):
    serialized = ClipSet.from_folds(loaded, loaded.folds).records_in_order()
    spec, rate = build_frontend(config).spec, loaded.config.sample_rate
    assert len(computed.values) == loaded.clips
    for index, (values, label, track, record) in enumerate(zip(*computed, serialized, strict=True)):
        clip = records.parse(record, loaded.config)
        if index % 5 == 0:  # computing all of them takes a second
            again = features.compute(spec, rate, clip["waveform"].numpy())
            assert np.array_equal(values[:, 0], again)
        assert label == clip["label"]
        assert track == clip["track"]


def test_features_are_computed_once(computed, folder, config, loaded, monkeypatch):
    assert len(list_files(folder)) == len(loaded.shards)
    monkeypatch.setattr(feature_files.processes, "pool", None)  # fails when called
    again = load_or_compute(folder, config)
    for column, same in zip(computed, again, strict=True):
        assert np.array_equal(column, same)


@pytest.mark.slow
def test_files_that_do_not_fit_are_computed_again(computed, folder, config):
    def truncate(path):
        path.write_bytes(path.read_bytes()[:100])

    def remove_values(path):
        with h5py.File(path, "a") as file:
            del file["values"]

    def change_shard(path):
        with h5py.File(path, "a") as file:
            file.attrs["shard"] = "0" * 64

    for number, change in enumerate((truncate, remove_values, change_shard)):
        change(list_files(folder)[number])
    assert np.array_equal(load_or_compute(folder, config).values, computed.values)


def test_processes_may_write_a_file_at_the_same_time(computed, loaded, tmp_path, monkeypatch):
    path, shard = tmp_path / f"{loaded.shards[0].name}.h5", loaded.shards[0]
    replacing = feature_files.replacing

    @contextmanager
    def replacing_late(*arguments):
        """Let another process write the file between the end of the block and the replacement."""
        with replacing(*arguments) as temporary:
            yield temporary
            monkeypatch.setattr(feature_files, "replacing", replacing)
            feature_files._save(path, shard, computed)

    monkeypatch.setattr(feature_files, "replacing", replacing_late)
    feature_files._save(path, shard, computed)
    assert list(tmp_path.iterdir()) == [path]
    stored = feature_files._load(path, shard)
    assert np.array_equal(stored.values, computed.values)


def test_the_file_of_a_killed_process_is_removed(computed, loaded, tmp_path):
    path, shard = tmp_path / f"{loaded.shards[0].name}.h5", loaded.shards[0]
    feature_files._temporary_path(path, "killed").touch()
    feature_files._save(path, shard, computed)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_other_settings_have_other_files(computed, folder, config):
    before = list_files(folder)
    stft = config.frontend.stft.model_copy(update={"hop_samples": 128})
    frontend = config.frontend.model_copy(update={"stft": stft})
    load_or_compute(folder, config.model_copy(update={"frontend": frontend}))
    assert set(list_files(folder)) > set(before)


@pytest.mark.slow
def test_an_unwritable_folder_is_named(copy, config):
    (copy / feature_files.FOLDER).write_text("a file, not a folder")
    with pytest.raises(DatasetError, match=r"features cannot be written to '.*features/"):
        load_or_compute(copy, config, [0])


def test_features_are_always_cached_and_exclude_random_waveforms(loaded, config):
    def pipeline(**update):
        changed = config.model_copy(update=update)
        return LabeledPipeline(changed, build_frontend(changed))

    no_memory = config.training.model_copy(update={"memory_gigabytes": 0.0})
    assert pipeline(training=no_memory).is_cached(loaded.clips)
    for update in (
        {"training": TrainingConfig(augmentation=[{"kind": "gain"}])},
        {"input_seconds": 0.5},
        {"test_speeds": (0.9, 1.0)},
    ):
        with pytest.raises(ConfigError, match="cannot be combined with waveforms that change;"):
            pipeline(**update).is_cached(loaded.clips)


@pytest.mark.slow
def test_standardized_features_are_learned(folder, config, tmp_path):
    """Values in hertz stand beside shares of one: without standardization, nothing is learned."""
    training = TrainingConfig(epochs=12, batch_size=8, learning_rate=1e-3)
    train(config.model_copy(update={"training": training}), folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    layer = run.model.get_layer("standardize")
    values = load_or_compute(folder, config, run.info.training_folds).values[..., 0]
    np.testing.assert_allclose(np.ravel(layer.mean), values.mean(axis=0), rtol=1e-3, atol=1e-5)
    clips = ClipSet.from_folds(manifest.load(folder), run.info.training_folds)
    pipeline = LabeledPipeline(config, run.frontend)
    [(batch, _)] = pipeline.evaluation(clips, clips.clips)
    assert batch.shape[1:] == (72, 1)
    assert evaluate(run, folder)["clip_accuracy"] > 0.8


def test_a_record_of_another_length_is_one_error(copy, config):
    shard = manifest.load(copy).shards[0]
    records.write(copy / shard.name, [("a.wav", 0, bytes(10))])
    with pytest.raises(DatasetError, match=rf"{shard.name}' has \d+ bytes instead of") as raised:
        load_or_compute(copy, config)
    assert "\n" not in str(raised.value)
    assert not list_files(copy)
