"""Batch normalization with the statistics of all training clips."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream import config
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.models import classifiers, inspect, normalization_statistics
from tfdream.runs import Run
from tfdream.training.classification import ClassificationTask
from tfdream.training.distributed import ClusterConfig
from tfdream.training.population_statistics import PopulationStatistics
from tfdream.training.train import train

RAW = (
    "frontend={kind: raw}",
    "model={name: raw_conv1d, options: {dense_units: 4}}",
    "training.normalization_statistics=training_clips",
)
NORMS = ["norm0", "norm1", "norm2", "norm3"]


def check_normalized(model, inputs):
    """Outputs of every normalization have mean 0 and variance 1 over all examples."""
    outputs = inspect.tap(model, NORMS)(inputs, training=False)
    for name in NORMS:
        values = np.asarray(outputs[name], np.float64)
        epsilon = model.get_layer(name).epsilon
        variance = np.asarray(model.get_layer(name).moving_variance, np.float64)
        expected = variance / (variance + epsilon)
        axes = tuple(range(values.ndim - 1))
        np.testing.assert_allclose(values.mean(axes), 0, atol=1e-4)
        np.testing.assert_allclose(values.var(axes), expected, atol=1e-3)


def test_all_examples_together_are_normalized_whatever_the_batches():
    rng = np.random.default_rng(0)
    examples = rng.normal(0.1, rng.uniform(0.1, 1, (7, 1, 1)), (7, 2000, 1)).astype(np.float32)
    statistics = []
    for batch_size in (7, 3):
        keras.utils.set_random_seed(0)
        model = classifiers.build(config.ModelConfig(name="raw_conv1d"), (2000, 1), 2)
        batches = tf.data.Dataset.from_tensor_slices(examples).batch(batch_size)
        callback = PopulationStatistics(batches)
        callback.set_model(model)
        callback.update()
        check_normalized(model, examples)
        statistics.append(model.get_layer("norm3").moving_variance.numpy())
    np.testing.assert_allclose(*statistics, rtol=1e-4)


def test_graphs_and_batches_are_built_once_for_all_epochs(configure, loaded, run, monkeypatch):
    built, evaluated = [], []
    monkeypatch.setattr(
        normalization_statistics, "compiled", lambda graph: built.append(graph) or graph
    )
    evaluation = LabeledPipeline.evaluation

    def record(pipeline, clips, batch_size, repeated=False):
        evaluated.append(repeated)
        return evaluation(pipeline, clips, batch_size, repeated)

    monkeypatch.setattr(LabeledPipeline, "evaluation", record)
    opened = Run(run.folder, configure(*RAW), run.info)
    with ClusterConfig().joined(run.folder) as workers:
        (callback,) = ClassificationTask(opened, [loaded], workers).callbacks([])
    model = opened.build_model()
    callback.set_model(model)
    variance = model.get_layer("norm3").moving_variance
    for epoch in range(2):
        variance.assign(0 * variance)
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch)
        assert (variance.numpy() > 0).any()
    assert (len(built), evaluated) == (len(NORMS), [True])


def test_training_and_statistics_have_one_cache(configure, loaded, run, monkeypatch):
    made = []
    cached_columns = LabeledPipeline._cached_columns
    monkeypatch.setattr(
        LabeledPipeline,
        "_cached_columns",
        lambda *arguments: made.append(arguments) or cached_columns(*arguments),
    )
    opened = Run(run.folder, configure(*RAW), run.info)
    with ClusterConfig().joined(run.folder) as workers:
        task = ClassificationTask(opened, [loaded], workers)
        task.training_batches(0)
        task.callbacks([])
        assert len(made) == 1
        assert task.validation_batches() is not None
        assert len(made) == 2


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("validate_on", ["test", pytest.param("none", marks=pytest.mark.slow)])
def test_a_run_stores_the_statistics_of_its_training_clips(
    validate_on, configure, dataset, loaded, folder
):
    settings = configure(
        *(*RAW, "training.epochs=1", "training.batch_size=12"),
        f"training.validate_on={validate_on}",
    )
    train(settings, dataset, folder)
    run = Run.open(folder)
    clips = ClipSet.from_folds(loaded, run.info.training_folds)
    batches = LabeledPipeline(run.config, run.frontend).evaluation(clips, clips.clips)
    inputs, _ = next(iter(batches))
    assert len(inputs) == clips.clips
    check_normalized(run.model, inputs)


@pytest.mark.slow
def test_interrupted_training_continues_exactly(
    configure, dataset, folder, tmp_path, interrupt_at, assert_same_run
):
    settings = configure(*RAW)
    train(settings, dataset, tmp_path / "complete")
    with pytest.raises(KeyboardInterrupt):
        train(settings, dataset, folder, progress=interrupt_at(9))  # of 6 steps per epoch
    train(settings, dataset, folder)
    assert_same_run(folder, tmp_path / "complete")


def test_the_published_raw_network_is_tested_with_the_statistics_of_all_training_clips():
    published = config.load("raw_conv1d", config.Experiment)
    assert published.training.normalization_statistics == "training_clips"
