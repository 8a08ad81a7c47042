import shutil
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

from tfdream.datasets import manifest
from tfdream.errors import ConfigError, DatasetError, ModelError
from tfdream.evaluation.classification import predict_dataset
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.training import optimizers
from tfdream.training.classification import ClassificationTask
from tfdream.training.distributed import ClusterConfig
from tfdream.training.train import TrainOptions, train

# For tests that do not compare a continued run with one that was trained with graphs.
EAGERLY = pytest.mark.usefixtures("eagerly")

# For tests of training in which the architecture does not matter.
SMALL = "model={name: softmax}"


def mean_nll(predictions):
    """Return the mean negative log likelihood of the true labels."""
    probabilities = predictions.probabilities
    return -np.log(probabilities[np.arange(len(probabilities)), predictions.labels]).mean()


def test_noise_and_tones_are_classified(trained):
    metrics = trained[1]["metrics"]
    names = {"loss", "accuracy", "macro_f1"}
    assert set(metrics) == names | {f"val_{name}" for name in names}
    assert metrics["val_accuracy"] > 0.8


def test_the_metrics_are_those_of_the_stored_weights(run, loaded, trained):
    predictions = predict_dataset(run, loaded, [0])
    metrics = trained[1]["metrics"]
    # Training caches inputs as float16: eleven bits, whose error a confident network amplifies.
    assert metrics["val_loss"] == pytest.approx(mean_nll(predictions), rel=0.02)
    accuracy = np.mean(predictions.probabilities.argmax(axis=1) == predictions.labels)
    assert metrics["val_accuracy"] == pytest.approx(accuracy)


def test_the_macro_f1_of_every_epoch_is_that_of_scikit_learn(run, loaded, trained, history):
    predictions = predict_dataset(run, loaded, [0])
    predicted = predictions.probabilities.argmax(axis=1)
    rows = history(trained[0])
    assert all(0 <= row["macro_f1"] <= 1 for row in rows)
    expected = f1_score(predictions.labels, predicted, average="macro")
    assert rows[-1]["val_macro_f1"] == pytest.approx(expected)


def test_parameters_do_not_include_the_optimizer(run, trained):
    assert trained[1]["parameters"] == run.model.count_params()


def test_one_label_is_refused(configure, loaded):
    """Its accuracy would be 1 and its loss 0."""
    single = loaded.model_copy(update={"labels": ["noise"]})
    with pytest.raises(DatasetError, match=r"has one label \('noise'\); a classifier needs two"):
        ClassificationTask.describe(configure(), [single], 0)


# Continued runs


def test_interrupted_training_continues_exactly(
    experiment, dataset, folder, trained, history, interrupt_at, assert_same_run
):
    with pytest.raises(KeyboardInterrupt):
        train(experiment, dataset, folder, progress=interrupt_at(9))  # of 6 steps per epoch
    assert len(history(folder)) == 1
    keras.utils.set_random_seed(77)  # random numbers drawn in between do not matter
    steps = []
    train(experiment, dataset, folder, progress=lambda *numbers: steps.append(numbers))
    assert steps == [(done, 12) for done in range(7, 13)]
    assert_same_run(folder, trained[0])


@pytest.mark.slow
def test_a_moved_run_continues_with_more_epochs(
    configure, dataset, folder, trained, tmp_path, assert_same_run
):
    config = configure("training.epochs=3")
    train(config, dataset, tmp_path / "complete")
    shutil.copytree(trained[0], folder)
    result = train(config, dataset, folder)
    assert (result["run"], result["epochs"]) == (str(folder), 3)
    assert_same_run(folder, tmp_path / "complete")


def test_a_damaged_resume_state_is_refused(configure, dataset, folder, trained):
    shutil.copytree(trained[0], folder)
    (folder / "resume.weights.h5").write_bytes(b"none")
    with pytest.raises(ModelError, match=r"is damaged .*--force"):
        train(configure("training.epochs=3"), dataset, folder)


# Folds and batches


def test_the_test_fold_is_not_trained_on_by_default(run):
    info = run.info
    assert (info.test_fold, info.validation_fold, info.training_folds) == (0, 0, [1, 2])


@EAGERLY
def test_the_test_fold_is_not_read_if_another_one_is_validated_on(configure, dataset, folder):
    # Reading one record of the damaged fold would be an error.
    damaged = shutil.copytree(dataset, folder.parent / "dataset")
    for shard in manifest.load(damaged).fold_shards([1]):
        (damaged / shard.name).write_bytes(bytes(shard.bytes))
    config = configure(
        SMALL, "training.validate_on=next", "training.epochs=1", "training.batch_size=12"
    )
    train(config, damaged, folder, TrainOptions(test_fold=1))
    info = Run.open(folder).info
    assert (info.test_fold, info.validation_fold, info.training_folds) == (1, 2, [0])


def test_a_configuration_without_a_model_is_refused(configure, dataset, folder):
    with pytest.raises(ConfigError, match="no section 'model'"):
        train(configure("model=null"), dataset, folder)
    assert not folder.exists()


def test_an_epoch_has_every_clip_and_at_least_some_steps(configure, loaded, tmp_path):
    clips = sum(shard.clips for shard in loaded.fold_shards([1, 2]))
    for size, least, batch_size, steps in (
        (7, 1, 7, clips // 7),
        (1000, 1, clips, 1),
        (1000, 3, clips, 3),
    ):
        config = configure(f"training.batch_size={size}", f"training.least_steps={least}")
        info = ClassificationTask.describe(config, [loaded], 0)
        with ClusterConfig().joined(tmp_path) as workers:
            task = ClassificationTask(Run(tmp_path, config, info), [loaded], workers)
        assert (task.batch_size, task.steps) == (batch_size, steps)
        batches = list(task.training_batches(0).take(steps))
        assert [len(labels) for _, labels in batches] == [batch_size] * steps
        assert all(len(inputs) == batch_size for inputs, _ in batches)


# Optimization


@EAGERLY
def test_the_best_epoch_is_stored_and_patience_ends_training(
    configure, dataset, loaded, folder, history
):
    config = configure(
        SMALL,
        "training.optimizer=sgd",
        "training.learning_rate=0.001",
        "training.momentum=0.9",
        "training.batch_size=12",
        "training.epochs=8",
        "training.validate_on=next",
        "training.checkpoint=best",
        "training.patience=1",
    )
    result = train(config, dataset, folder)
    losses = [row["val_loss"] for row in history(folder)]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == result["epochs"] < 8, "the loss decreased until the end: raise the rate"
    assert len(losses) - best == 1
    assert result["kept_epoch"] == best
    assert result["metrics"]["val_loss"] == losses[best - 1]

    run = Run.open(folder)
    assert run.info.validation_fold == 1
    # Probabilities near 0 have fewer digits than logits.
    expected = mean_nll(predict_dataset(run, loaded, [1]))
    assert losses[best - 1] == pytest.approx(expected, rel=1e-4)

    assert train(config, dataset, folder) == result


@EAGERLY
def test_a_plateau_lowers_the_rate_and_resumes_exactly(
    configure, dataset, folder, tmp_path, history, interrupt_at, assert_same_run
):
    config = configure(
        SMALL,
        "training.optimizer=sgd",
        "training.learning_rate=1",
        "training.momentum=0.9",
        "training.batch_size=12",
        "training.epochs=3",
        "training.validate_on=next",
        "training.schedule=plateau",
        "training.plateau_patience=0",
    )
    train(config, dataset, folder)
    rows = history(folder)
    best, expected = np.inf, [1.0]
    for row in rows[:-1]:
        fell = row["val_loss"] >= best * (1 - 1e-4)
        expected.append(expected[-1] * 0.1 if fell else expected[-1])
        best = min(best, row["val_loss"])
    assert [row["learning_rate"] for row in rows] == pytest.approx(expected)
    assert expected[-1] < expected[0], "the loss decreased in every epoch: raise the rate"

    with pytest.raises(KeyboardInterrupt):
        train(config, dataset, tmp_path / "other", progress=interrupt_at(3))
    train(config, dataset, tmp_path / "other")
    assert_same_run(folder, tmp_path / "other")


@EAGERLY
def test_mixed_precision_trains_on_every_fold_and_is_reloaded_in_float32(
    configure, dataset, loaded, folder
):
    before = keras.config.dtype_policy()
    config = configure(
        "training.mixed_precision=true",
        "training.epochs=1",
        "training.batch_size=19",
        "training.validate_on=none",
    )
    result = train(config, dataset, folder, TrainOptions(test_fold=None))
    assert keras.config.dtype_policy() is before
    assert set(result["metrics"]) == {"loss", "accuracy", "macro_f1"}
    run = Run.open(folder)
    assert run.info.training_folds == [0, 1, 2]
    assert {weight.dtype for weight in run.model.weights} == {"float32"}
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    probabilities = predict_dataset(run, loaded, [0]).probabilities
    assert np.isfinite(probabilities).all()
    assert np.ptp(probabilities[:, 0]) > 0


PLAIN = (SMALL, "training.validate_on=none", "training.batch_size=12")


@pytest.fixture
def diverging():
    """Return a context whose steps make the weights infinite."""

    def build(training, steps_per_epoch):
        return keras.optimizers.SGD(1e39)  # infinite in float32

    @contextmanager
    def patched():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(optimizers, "build", build)
            yield

    return patched


@EAGERLY
def test_a_loss_that_is_not_finite_is_an_error_and_force_replaces_the_run(
    configure, dataset, folder, history, diverging
):
    with (
        diverging(),
        pytest.raises(ModelError, match=r"the loss is nan after epoch 1; lower training"),
    ):
        train(configure(*PLAIN, "training.seed=1"), dataset, folder)
    with pytest.raises(ModelError, match="has no weights"):
        _ = Run.open(folder).model
    config = configure(
        SMALL, "training.epochs=1", "training.batch_size=12", "training.validate_on=none"
    )
    with pytest.raises(ConfigError, match="--force"):
        train(config, dataset, folder)
    result = train(config, dataset, folder, TrainOptions(force=True))
    assert np.isfinite(result["metrics"]["loss"])
    assert len(history(folder)) == 1


@EAGERLY
def test_weights_that_the_last_step_made_invalid_are_not_stored(
    configure, dataset, folder, diverging
):
    # With one step per epoch, the loss is computed before the step, and finite.
    config = configure(*PLAIN, "training.batch_size=1000")
    with (
        diverging(),
        pytest.raises(ModelError, match=r"a weight is not finite after epoch 1; lower training"),
    ):
        train(config, dataset, folder)
    assert not Run.open(folder).weights_path.exists()


@pytest.mark.slow
def test_two_devices_train_like_one(
    configure, dataset, loaded, tmp_path, start_training, wait_for_result, history
):
    """Also where the last validation batch of 6 has one clip, and none for the second device."""
    assert len(tf.config.list_logical_devices("CPU")) == 1
    # Each device would draw its own dropout mask.
    config = configure("training.batch_size=6", "training.epochs=1", "model.options.dropout=0")
    for clips in (13, 12):
        fold = next(
            fold
            for fold in loaded.folds
            if manifest.count_clips(loaded.fold_shards([fold])) == clips
        )
        one, two = tmp_path / f"one-{clips}", tmp_path / f"two-{clips}"
        wait_for_result(start_training(config, dataset, two, fold, devices=2))
        train(config, dataset, one, TrainOptions(fold))
        # Gradients are summed in another order: errors of 10⁻⁷ per step, for four steps.
        assert history(two) == [pytest.approx(row, rel=1e-4) for row in history(one)]


def test_features_within_a_network_are_standardized(configure, loaded, tmp_path):
    frontend = "frontend={kind: mel, stft: {n_fft: 256, hop_samples: 64}, bands: 20}"
    config = configure(frontend, "model={name: texture_mlp, options: {units: 4}}")
    info = ClassificationTask.describe(config, [loaded], 0)
    with ClusterConfig().joined(tmp_path) as workers:
        task = ClassificationTask(Run(tmp_path, config, info), [loaded], workers)
        _, network = task.build()
        task.adapt(network)
        (inputs,) = task.pipeline.sample(task.clips, 1000).unbatch().batch(1000)
    standardized = inspect.tap(network, ["standardize"])(inputs)["standardize"].numpy()
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-3)
    deviations = standardized.std(axis=0)
    varying = deviations > 0.5
    np.testing.assert_allclose(deviations[varying], 1, atol=0.01)
    assert varying.mean() > 0.9
