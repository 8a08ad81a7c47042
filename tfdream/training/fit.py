"""`train`: fit a classifier to a dataset, or go on fitting it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets import pipeline, records
from tfdream.datasets.records import Dataset, Shard
from tfdream.datasets.sides import Side
from tfdream.errors import ConfigError
from tfdream.files import write_json
from tfdream.training import callbacks, distribution, optimizer, splits
from tfdream.training.confusion import Confusion
from tfdream.training.runs import Run

logger = logging.getLogger(__name__)

Watch = Callable[[int, np.ndarray | None], None]
"""Hears the number of epochs done, 0 before the first, and what the classifier took for what in the
validation clips, `[truth, guess]`, if there are any."""


def train(
    config: Experiment,
    dataset_folder: Path,
    run_folder: Path,
    test_fold: int | None = 0,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    watcher: Callable[[Run, list[Side]], Watch] | None = None,
) -> dict[str, Any]:
    """Train a classifier on every fold but the held-out one.

    Args:
      config: model, frontend and training.
      dataset_folder: that `prepare` wrote, with the same sample rate and clip length.
      run_folder: where the result goes; a run of the same settings there is continued.
      test_fold: held out; None to train on everything.
      force: start anew where `run_folder` holds a run already.
      progress: hears the steps done and the steps of all epochs.
      watcher: makes, of the clips of each label that are validated on (or trained on, where none
        are), what looks at the training after every epoch.

    Returns:
      The JSON object of the command: run, epochs, examples_per_second, data_wait_fraction, metrics.

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or the run do not fit.
    """
    if config.model is None:
        raise ConfigError("the configuration has no section 'model', which training needs")
    dataset = records.load(dataset_folder)
    splits.check_clips(config, dataset, dataset_folder)
    training = config.training
    info = splits.split(dataset, dataset_folder, training.validate_on, test_fold)
    run = Run(run_folder, config, info)
    if not force:
        run.check_continues()

    shards = dataset.fold_shards(info.training_folds)
    batch_size = min(training.batch_size, sum(shard.clips for shard in shards))
    steps = pipeline.steps_per_epoch(shards, training.batch_size)
    strategy = distribution.strategy()
    distribution.check_batch_size(batch_size, strategy.num_replicas_in_sync)
    keras.utils.set_random_seed(training.seed)
    with strategy.scope(), distribution.precision(training.mixed_precision):
        network = run.build_model()
        model = fit_model(network, training, steps)
        # Only now that the model has proved to fit: a folder of settings that do not is in the way.
        if force:
            run.clear()
        run.create()  # the number of epochs may have grown
        history = run.load_resume_state(model)
        if not history:
            _standardise(network, dataset_folder, dataset, shards, config)
    first_epoch = len(history)
    if history:
        logger.info("'%s' has %d epochs already: going on", run_folder, first_epoch)

    stopped = callbacks.out_of_patience(history, training.patience)
    if first_epoch < training.epochs and not stopped:
        watch = watcher(run, _sides(dataset_folder, dataset, run)) if watcher else None
        model.fit(
            pipeline.training_batches(dataset_folder, dataset, shards, config, first_epoch),
            epochs=training.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=steps,
            validation_data=_validation(
                dataset_folder, dataset, run, strategy.num_replicas_in_sync
            ),
            verbose=0,
            shuffle=False,
            callbacks=[
                callbacks.Throughput(batch_size),
                callbacks.Keeper(run, network, training, history, best=training.keep == "best"),
                callbacks.Patience(history, training.patience),
                *([_watching(watch, model, run)] if watch else []),
                callbacks.Described(run),
                callbacks.StepProgress(progress, first_epoch),
                keras.callbacks.TensorBoard(run.events_path, write_graph=False),
            ],
        )
    result = _summary(run, network, history, training)
    write_json(run.metrics_path, result)
    return result


class Classifier(distribution.FitModel, keras.Model):
    """A classifier's network, up to the logits, as what `fit` takes."""

    confusion: Confusion

    def compute_metrics(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Count what is taken for what, too."""
        self.confusion.update_state(y, y_pred, sample_weight)
        found: dict[str, tf.Tensor] = super().compute_metrics(x, y, y_pred, sample_weight)
        return found


def fit_model(network: keras.Model, training: TrainingConfig, steps_per_epoch: int) -> Classifier:
    """A classifier's network as what `fit` takes: compiled, and up to the logits.

    The loss is taken from the logits: the logarithm of a softmax loses digits.
    """
    model = Classifier(network.inputs, network.get_layer("logits").output)
    model.confusion = Confusion(model.output.shape[-1])
    model.compile(
        optimizer=optimizer.build(training, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=training.label_smoothing
        ),
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    return model


def _sides(folder: Path, dataset: Dataset, run: Run) -> list[Side]:
    """The clips of each label that are validated on; without validation, those trained on."""
    validation = run.info.validation_fold
    shards = dataset.fold_shards(run.info.training_folds if validation is None else [validation])
    return [Side(folder, dataset, shards, label) for label in dataset.labels]


def _watching(watch: Watch, model: Classifier, run: Run) -> callbacks.Watching:
    def look(epochs: int) -> None:
        known = epochs and run.info.validation_fold is not None
        watch(epochs, model.confusion.matrix() if known else None)

    return callbacks.Watching(look, every=1, last=run.config.training.epochs)


def _standardise(
    network: keras.Model, folder: Path, dataset: Dataset, shards: list[Shard], config: Experiment
) -> None:
    """Let the layers that standardise the network's inputs learn those of the training clips."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            batches = pipeline.evaluation_batches(
                folder, dataset, shards, config, config.training.batch_size
            )
            layer.adapt(batches.map(lambda inputs, clip: inputs))


def _validation(folder: Path, dataset: Dataset, run: Run, devices: int) -> tf.data.Dataset | None:
    if run.info.validation_fold is None:
        return None
    shards = dataset.fold_shards([run.info.validation_fold])
    batch_size = run.config.training.batch_size
    batches = pipeline.evaluation_batches(
        folder, dataset, shards, run.config, batch_size, once=False
    )
    windows = len(pipeline.window_starts(run.config))

    def label(inputs: tf.Tensor, clip: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        labels = tf.one_hot(clip["label"], len(dataset.labels))
        return inputs, tf.repeat(labels, windows, axis=0)

    labelled = batches.map(label)
    clips = sum(shard.clips for shard in shards)
    missing = -clips % batch_size
    if devices == 1 or not missing:
        return labelled
    # An incomplete batch would leave a device without a clip, which is a crash or a NaN. Keras
    # divides the loss by the number of all clips, also of those that only fill up.
    weight = (clips + missing) / clips
    return labelled.map(
        lambda inputs, labels: _fill_up(inputs, labels, batch_size * windows, weight)
    )


def _fill_up(
    inputs: tf.Tensor, labels: tf.Tensor, size: int, weight: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Repeat the first input of a batch until it is full, and give the repetitions no weight."""
    indices = tf.range(size)
    real = indices < tf.shape(labels)[0]
    indices = tf.where(real, indices, 0)
    return tf.gather(inputs, indices), tf.gather(labels, indices), tf.where(real, weight, 0.0)


def _summary(
    run: Run, network: keras.Model, history: list[callbacks.Row], training: TrainingConfig
) -> dict[str, Any]:
    kept = callbacks.best_epoch(history) if training.keep == "best" else len(history)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    row = history[kept - 1]
    return {
        "run": str(run.folder),
        "epochs": len(history),
        "kept_epoch": kept,
        "parameters": network.count_params(),
        "test_fold": run.info.test_fold,
        **callbacks.speed(history),
        "metrics": {name: row[name] for name in names if name in row},
    }
