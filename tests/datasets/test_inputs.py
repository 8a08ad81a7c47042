import h5py
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    Experiment,
    TrainingConfig,
)
from tfdream.datasets import inputs, pipeline, records
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import ConfigError, DatasetError
from tfdream.signal import features
from tfdream.signal.frontends.features import FeatureFrontendConfig


@pytest.fixture(scope="module")
def folder(source, experiment, tmp_path_factory):
    """A prepared dataset that may get features."""
    path = tmp_path_factory.mktemp("with_features") / "dataset"
    prepare(source, path, experiment.prepare, workers=1)
    return path


@pytest.fixture(scope="module")
def config(experiment):
    frontend = FeatureFrontendConfig(kind="features", stft={"n_fft": 512, "hop_samples": 256})
    return Experiment(prepare=experiment.prepare, frontend=frontend, model={"name": "feature_cnn"})


def compute(folder, config):
    dataset = records.load(folder)
    return of_all(folder, dataset, dataset.shards, config)


def of_all(folder, dataset, shards, config):
    """The inputs of some shards, as arrays."""
    numbers = tf.range(sum(shard.clips for shard in shards))
    looked_up = inputs.keep(folder, dataset, shards, config)(numbers)
    return inputs.Inputs(*(column.numpy() for column in looked_up))


def kept(folder):
    return sorted((folder / inputs.FOLDER).rglob("*.h5"))


def test_features_are_those_of_each_clip(folder, config):
    found = compute(folder, config)
    dataset = records.load(folder)
    [clip] = records.read(folder, dataset, dataset.shards, dataset.clips)
    for values, waveform in zip(found.values, clip["waveform"].numpy(), strict=True):
        again = features.compute(config.frontend, dataset.config.sample_rate, waveform)
        assert np.array_equal(values[:, 0], again)
    assert np.array_equal(found.labels, clip["label"])
    assert found.tracks.tolist() == clip["track"].numpy().tolist()


def test_features_are_computed_once(folder, config, monkeypatch):
    first = compute(folder, config)
    assert len(kept(folder)) == len(records.load(folder).shards)
    monkeypatch.setattr(inputs.processes, "pool", None)  # which would be called
    again = compute(folder, config)
    assert np.array_equal(again.values, first.values)


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
@pytest.mark.slow
def test_a_file_that_does_not_fit_is_computed_anew(folder, config, damage):
    first = compute(folder, config)
    path = kept(folder)[1]
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        with h5py.File(path, "a") as file:
            if damage == "foreign":
                del file["values"]
            else:
                file.attrs["shard"] = "0" * 64
    assert np.array_equal(compute(folder, config).values, first.values)


@pytest.mark.slow
def test_other_settings_have_other_features(folder, config):
    compute(folder, config)
    before = kept(folder)
    frontend = config.frontend.model_copy(update={"stft": config.frontend.stft.model_copy(
        update={"hop_samples": 128})})  # fmt: skip
    compute(folder, config.model_copy(update={"frontend": frontend}))
    assert set(kept(folder)) > set(before)


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_named(folder, config, tmp_path):
    other = tmp_path / "dataset"
    other.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (other / path.name).symlink_to(path)
    (other / inputs.FOLDER).write_text("in the way")
    with pytest.raises(DatasetError, match="features cannot be kept in"):
        compute(other, config)


def test_features_are_always_kept_and_waveforms_must_not_change(folder, config):
    dataset = records.load(folder)
    nothing = config.training.model_copy(update={"memory_gigabytes": 0.0})
    assert inputs.fit_memory(dataset, config.model_copy(update={"training": nothing}))
    for update in (
        {"training": TrainingConfig(augmentation=[{"kind": "gain"}])},
        {"input_seconds": 0.5},
    ):
        with pytest.raises(ConfigError, match="cannot follow waveforms that change at random"):
            inputs.fit_memory(dataset, config.model_copy(update=update))


def test_waveforms_that_change_are_not_kept(folder, experiment):
    dataset = records.load(folder)
    assert inputs.fit_memory(dataset, experiment)
    changing = TrainingConfig(augmentation=[{"kind": "noise"}])
    assert not inputs.fit_memory(dataset, experiment.model_copy(update={"training": changing}))


@pytest.mark.slow
def test_a_network_learns_from_standardized_features(folder, config, tmp_path):
    """Hertz stand beside shares of one: unless they are standardized, nothing is learnt."""
    from tfdream.evaluation.classification import evaluate
    from tfdream.runs import Run
    from tfdream.training.classification import train

    training = TrainingConfig(epochs=12, batch_size=8, learning_rate=1e-3)
    train(config.model_copy(update={"training": training}), folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    layer = run.model.get_layer("standardize")
    dataset = records.load(folder)
    shards = dataset.fold_shards(run.info.training_folds)
    values = of_all(folder, dataset, shards, config).values[..., 0]
    np.testing.assert_allclose(np.ravel(layer.mean), values.mean(axis=0), rtol=1e-3, atol=1e-5)
    [(batch, _)] = pipeline.evaluation_batches(folder, dataset, shards, config, dataset.clips)
    assert batch.shape[1:] == (72, 1)
    assert evaluate(run, folder)["clip_accuracy"] > 0.8
