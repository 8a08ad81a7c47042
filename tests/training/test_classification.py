import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets import records
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import ConfigError, DatasetError, ModelError
from tfdream.evaluation.classification import predict_dataset
from tfdream.runs import Run
from tfdream.training import timed_model
from tfdream.training.classification import train

# For what is not about going on: a run that is continued is compared with one made with graphs.
EAGERLY = pytest.mark.usefixtures("eagerly")


def interrupt_at(step):
    def progress(done, total):
        if done == step:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def three_epochs(configure, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("three") / "run"
    train(configure("training.epochs=3"), dataset, folder)
    return folder


def test_the_result_is_what_the_command_promises(trained):
    folder, result = trained
    assert result["run"] == str(folder)
    assert result["epochs"] == 2
    assert result["examples_per_second"] > 0
    assert 0 <= result["data_wait_fraction"] <= 1
    assert set(result["metrics"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert json.loads((folder / "metrics.json").read_text()) == result


def test_a_run_folder_holds_all_that_it_needs_and_nothing_half_written(trained):
    assert {path.name for path in trained[0].iterdir()} == {
        "run.json",
        "config.yaml",
        "model.weights.h5",
        "resume.weights.h5",
        "history.csv",
        "metrics.json",
        "tensorboard",
    }
    assert list((trained[0] / "tensorboard").rglob("events.*"))


def test_noise_and_tones_are_told_apart(trained, history):
    rows = history(trained[0])
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert trained[1]["metrics"]["val_accuracy"] > 0.8


def test_the_metrics_are_those_of_the_kept_weights(run, dataset, trained):
    found = predict_dataset(run, dataset, records.load(dataset), [0])
    chosen = found.probabilities[np.arange(len(found.labels)), found.labels]
    # Training kept its inputs as float16, whose eleven bits the loss of a sure network enlarges.
    assert trained[1]["metrics"]["val_loss"] == pytest.approx(-np.log(chosen).mean(), rel=0.02)
    accuracy = np.mean(found.probabilities.argmax(axis=1) == found.labels)
    assert trained[1]["metrics"]["val_accuracy"] == pytest.approx(accuracy)


def test_the_parameters_are_counted_without_the_optimizer(run, trained):
    assert trained[1]["parameters"] == run.model.count_params()


# Going on


def test_interrupted_training_goes_on_as_if_nothing_had_happened(
    configure, dataset, folder, three_epochs, history, assert_same_run
):
    config = configure("training.epochs=3")
    with pytest.raises(KeyboardInterrupt):
        train(config, dataset, folder, progress=interrupt_at(9))  # of 6 steps an epoch
    assert len(history(folder)) == 1
    # Whatever ran in between must not matter.
    keras.utils.set_random_seed(77)
    steps = []
    train(config, dataset, folder, progress=lambda *numbers: steps.append(numbers))
    assert steps == [(done, 18) for done in range(7, 19)]
    assert_same_run(folder, three_epochs)


@pytest.mark.slow
def test_more_epochs_on_a_moved_run_go_on_too(
    configure, dataset, folder, trained, three_epochs, assert_same_run
):
    shutil.copytree(trained[0], folder)
    result = train(configure("training.epochs=3"), dataset, folder)
    assert (result["run"], result["epochs"]) == (str(folder), 3)
    assert_same_run(folder, three_epochs)


def test_a_finished_run_is_left_as_it_is(experiment, dataset, folder, trained):
    shutil.copytree(trained[0], folder)
    called = []
    result = train(experiment, dataset, folder, progress=lambda *_: called.append(1))
    assert not called
    assert result | {"run": ""} == trained[1] | {"run": ""}
    for name in ("model.weights.h5", "resume.weights.h5", "history.csv"):
        assert (folder / name).read_bytes() == (trained[0] / name).read_bytes()


@pytest.mark.parametrize(
    "change", ["training.seed=1", "training.learning_rate=0.1", "model.options.filters=[4, 9]"]
)
def test_other_settings_are_refused(configure, dataset, trained, change):
    before = {path.name: path.read_bytes() for path in trained[0].glob("*.*")}
    with pytest.raises(ConfigError, match=r"other settings.*--force"):
        train(configure(change), dataset, trained[0])
    assert {path.name: path.read_bytes() for path in trained[0].glob("*.*")} == before


def test_another_fold_is_refused(experiment, dataset, trained):
    with pytest.raises(ConfigError, match=r"other settings or another dataset.*--force"):
        train(experiment, dataset, trained[0], test_fold=1)


def test_another_dataset_is_refused(configure, source, trained, tmp_path):
    config = configure("prepare.seed=1")
    prepare(source, tmp_path, config.prepare, workers=1)
    with pytest.raises(ConfigError, match=r"another dataset.*--force"):
        train(configure(), tmp_path, trained[0])


def test_a_damaged_resume_state_is_refused(configure, dataset, folder, trained):
    shutil.copytree(trained[0], folder)
    (folder / "resume.weights.h5").write_bytes(b"none")
    with pytest.raises(ModelError, match=r"is damaged .*--force"):
        train(configure("training.epochs=3"), dataset, folder)


# What is trained on


def test_the_test_fold_is_not_trained_on_by_default(run):
    assert run.info.test_fold == 0
    assert run.info.validation_fold == 0
    assert run.info.training_folds == [1, 2]


@EAGERLY
def test_the_test_fold_is_not_even_read_when_validation_is_elsewhere(configure, dataset, folder):
    # A fold of garbage: reading one record of it would be an error.
    damaged = shutil.copytree(dataset, folder.parent / "dataset")
    for shard in records.load(damaged).fold_shards([1]):
        (damaged / shard.name).write_bytes(bytes(shard.bytes))
    config = configure("training.validate_on=next", "training.epochs=1")
    train(config, damaged, folder, test_fold=1)
    info = Run.open(folder).info
    assert (info.test_fold, info.validation_fold, info.training_folds) == (1, 2, [0])


@pytest.mark.parametrize(
    ("overrides", "test_fold", "words"),
    [
        (["model=null"], 0, "no section 'model'"),
        ([], 3, r"test_fold=3 is not in the dataset \(folds: \[0, 1, 2\]\)"),
        ([], None, "set training.validate_on=none too"),
    ],
)
def test_a_split_that_does_not_exist_is_refused(
    configure, dataset, folder, overrides, test_fold, words
):
    with pytest.raises(ConfigError, match=words):
        train(configure(*overrides), dataset, folder, test_fold)
    assert not folder.exists()


def test_too_few_folds_are_refused(configure, source, folder, tmp_path):
    prepare(source, tmp_path / "two", configure("prepare.folds=2").prepare, workers=1)
    with pytest.raises(ConfigError, match=r"leave no fold .* more folds"):
        train(configure("training.validate_on=next"), tmp_path / "two", folder)


@pytest.mark.parametrize("change", ["prepare.sample_rate=16000", "prepare.clip_seconds=0.5"])
def test_a_dataset_of_other_clips_is_refused(configure, dataset, folder, change):
    with pytest.raises(DatasetError, match=f"{change.split('.')[1].split('=')[0]}=.*--set prepare"):
        train(configure(change), dataset, folder)


def test_a_missing_dataset_is_refused(experiment, tmp_path):
    with pytest.raises(DatasetError, match="run tfdream prepare first"):
        train(experiment, tmp_path / "nowhere", tmp_path / "run")


# How it is trained


@EAGERLY
def test_the_best_epoch_is_kept_and_patience_ends(configure, dataset, folder, history):
    config = configure(
        "training.optimizer=sgd",
        "training.learning_rate=0.3",
        "training.momentum=0.9",
        "training.epochs=8",
        "training.validate_on=next",
        "training.checkpoint=best",
        "training.patience=1",
    )
    result = train(config, dataset, folder)
    rows = history(folder)
    losses = [float(row["val_loss"]) for row in rows]
    best = int(np.argmin(losses)) + 1
    assert len(rows) == result["epochs"] < 8, "the loss kept falling: choose a wilder rate"
    assert len(rows) - best == 1
    assert result["kept_epoch"] == best
    assert result["metrics"]["val_loss"] == losses[best - 1]

    run = Run.open(folder)
    assert run.info.validation_fold == 1
    found = predict_dataset(run, dataset, records.load(dataset), [1])
    chosen = found.probabilities[np.arange(len(found.labels)), found.labels]
    # Probabilities near 0 lose digits that logits have.
    assert losses[best - 1] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)

    again = train(config, dataset, folder)
    assert again == result


@EAGERLY
def test_mixed_precision_trains_on_everything_and_reloads_in_float32(configure, dataset, folder):
    before = keras.config.dtype_policy()
    config = configure(
        "training.mixed_precision=true",
        "training.epochs=1",
        "training.batch_size=8",
        "training.validate_on=none",
    )
    result = train(config, dataset, folder, test_fold=None)
    assert keras.config.dtype_policy() is before
    assert set(result["metrics"]) == {"loss", "accuracy"}
    run = Run.open(folder)
    assert run.info.training_folds == [0, 1, 2]
    assert {weight.dtype for weight in run.model.weights} == {"float32"}
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    found = predict_dataset(run, dataset, records.load(dataset), [0])
    assert np.isfinite(found.probabilities).all()
    assert np.ptp(found.probabilities[:, 0]) > 0


HOPELESS = (
    "training.validate_on=none",
    "training.optimizer=sgd",
    "training.learning_rate=1e39",
)  # infinite in float32


@EAGERLY
def test_a_loss_that_is_not_a_number_is_an_error_and_force_starts_anew(
    configure, dataset, folder, history
):
    with pytest.raises(ModelError, match=r"the loss is nan after epoch 1; lower training"):
        train(configure(*HOPELESS), dataset, folder)
    with pytest.raises(ModelError, match="no weights yet"):
        _ = Run.open(folder).model
    sane = configure("training.epochs=1", "training.validate_on=none")
    with pytest.raises(ConfigError, match="--force"):
        train(sane, dataset, folder)
    result = train(sane, dataset, folder, force=True)
    assert np.isfinite(result["metrics"]["loss"])
    assert len(history(folder)) == 1


@EAGERLY
def test_weights_that_the_last_step_ruined_are_not_kept(configure, dataset, folder):
    # One step an epoch: its loss is taken before the step, and is a number.
    config = configure(*HOPELESS, "training.batch_size=1000")
    with pytest.raises(ModelError, match=r"the loss is nan after epoch 1; lower training"):
        train(config, dataset, folder)
    assert not Run.open(folder).weights_path.exists()


def test_a_batch_that_devices_cannot_share_equally_is_refused():
    timed_model.check_batch_size(clips=6, devices=2)
    timed_model.check_batch_size(clips=7, devices=1)
    with pytest.raises(ConfigError, match=r"batch of 7 clips .* multiple of 2"):
        timed_model.check_batch_size(clips=7, devices=2)


@pytest.mark.slow
@pytest.mark.parametrize("clips", [13, 12])
def test_two_devices_learn_what_one_learns(
    configure, dataset, tmp_path, start_training, ended, clips, history
):
    """Also where the last validation batch of 6 has one clip, and nothing for the second device."""
    assert len(tf.config.list_logical_devices("CPU")) == 1
    found = records.load(dataset)
    fold = next(
        fold
        for fold in found.folds
        if sum(shard.clips for shard in found.fold_shards([fold])) == clips
    )
    # Dropout would draw other masks on each device.
    config = configure("training.batch_size=6", "training.epochs=1", "model.options.dropout=0")
    ended(start_training(config, dataset, tmp_path / "two", fold, devices=2))
    train(config, dataset, tmp_path / "one", fold)
    (one,), (two,) = history(tmp_path / "one"), history(tmp_path / "two")
    for name in one:
        # Gradients are summed in another order: parts in 10⁷ a step, for four steps.
        assert float(one[name]) == pytest.approx(float(two[name]), rel=1e-4), name
