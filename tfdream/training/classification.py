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
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.records import Dataset, Shard
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import Run
from tfdream.training import callbacks, optimizers, splits, timed_model
from tfdream.training.distributed import SINGLE_MACHINE, ClusterConfig, Workers
from tfdream.training.metrics import Confusion
from tfdream.training.session import Batches, Session

logger = logging.getLogger(__name__)

# Clips from which inputs are standardized, spread evenly over those of training. On 1111 clips of
# music, the mean of a mel band is that of all but for 2 % of its deviation, the deviation for 4 %.
_STANDARDIZED_BY = 512

PreviewFn = Callable[[int, np.ndarray | None], None]
"""Hears the number of epochs done, 0 before the first, and what the classifier took for what in the
validation clips, `[truth, guess]`, if there are any."""

Preview = Callable[[Run, list[ClipSet]], PreviewFn]


def train(
    config: Experiment,
    dataset_folder: Path,
    run_folder: Path,
    test_fold: int | None = 0,
    force: bool = False,
    progress: ProgressFn = no_progress,
    watcher: Preview | None = None,
    machines: ClusterConfig = SINGLE_MACHINE,
) -> dict[str, Any]:
    """Train a classifier on every fold but the held-out one.

    Args:
      config: model, frontend and training.
      dataset_folder: that `prepare` wrote, with the same sample rate and clip length.
      run_folder: where the result goes; a run of the same settings there is continued.
      test_fold: held out; None to train on everything.
      force: start anew where `run_folder` holds a run already.
      progress: receives the finished steps and the steps of all epochs.
      watcher: makes, of the clips of each label that are validated on (or trained on, where none
        are), what looks at the training after every epoch.
      machines: that take part.

    Returns:
      The JSON object of the command: run, epochs, examples_per_second, data_wait_fraction, metrics.

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or the run do not fit.
      ClusterError: if another machine ends before this one does.
    """
    if config.model is None:
        raise ConfigError("the configuration has no section 'model', which training needs")
    with machines.joined(run_folder) as workers:
        dataset = records.load(dataset_folder)
        splits.check_clips(config, dataset, dataset_folder)
        info = splits.split(dataset, dataset_folder, config.training.validate_on, test_fold)
        run = Run(workers.folder, config, info)
        session = Session(run, workers, force, progress)
        with records.report_corrupt_shards({dataset_folder: dataset}):
            result = _fit(run, session, dataset_folder, dataset, watcher)
        return session.end({"run": str(run_folder), **result})


def _fit(
    run: Run, session: Session, folder: Path, dataset: Dataset, watcher: Preview | None
) -> dict[str, Any]:
    """Train on a dataset; see `train` for what it returns."""
    workers = session.workers
    config, training = run.config, run.config.training
    shards = dataset.fold_shards(run.info.training_folds)
    batch_size = min(training.batch_size, records.count_clips(shards))
    steps = pipeline.steps_per_epoch(shards, training.batch_size)
    workers.check_batch_size(batch_size)
    with session.building():
        network = run.build_model()
        model = fit_model(network, training, steps)
        session.begin(model)
        if not session.history:
            _standardize(network, folder, dataset, shards, config)
    if not session.finished:
        watch = watcher(run, _sides(folder, dataset, run)) if watcher else None
        batches = pipeline.training_batches(
            folder,
            dataset,
            shards,
            config,
            session.first_epoch,
            workers.portion,
            workers.service(),
        )
        session.fit(
            model,
            network,
            Batches(batches, batch_size, steps),
            _validation(folder, dataset, run, workers, batch_size),
            after=[_watching(watch, model, run)] if watch else [],
        )
    return _summary(run, network, session.history, training)


class Classifier(timed_model.FitModel, keras.Model):
    """A classifier's network, up to the logits, as what `fit` takes."""

    confusion: Confusion

    @property
    def symbolic_batch(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Inputs, and labels that are like outputs."""
        return self.input, self.output

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
        optimizer=optimizers.build(training, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=training.label_smoothing
        ),
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    return model


def _sides(folder: Path, dataset: Dataset, run: Run) -> list[ClipSet]:
    """The clips of each label that are validated on; without validation, those trained on."""
    validation = run.info.validation_fold
    shards = dataset.fold_shards(run.info.training_folds if validation is None else [validation])
    return [ClipSet(folder, dataset, shards, label) for label in dataset.labels]


def _watching(watch: PreviewFn, model: Classifier, run: Run) -> callbacks.PreviewCallback:
    def look(epochs: int) -> None:
        known = epochs and run.info.validation_fold is not None
        watch(epochs, model.confusion.matrix() if known else None)

    return callbacks.PreviewCallback(look, every=1, last=run.config.training.epochs)


def _standardize(
    network: keras.Model, folder: Path, dataset: Dataset, shards: list[Shard], config: Experiment
) -> None:
    """Let the layers that standardize the network's inputs learn what training clips are like."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(pipeline.some_inputs(folder, dataset, shards, config, _STANDARDIZED_BY))


def _validation(
    folder: Path, dataset: Dataset, run: Run, workers: Workers, batch_size: int
) -> tf.data.Dataset | None:
    if run.info.validation_fold is None:
        return None
    shards = dataset.fold_shards([run.info.validation_fold])
    clips = records.count_clips(shards)
    missing = -clips % batch_size
    # An incomplete batch would leave a device without a clip, which is a crash or a NaN.
    fills_up = workers.devices > 1 and missing
    portion = workers.portion if fills_up or workers.count > 1 else None
    batches = pipeline.evaluation_batches(
        folder, dataset, shards, run.config, batch_size, once=False, portion=portion
    )
    windows = len(pipeline.window_starts(run.config))

    def label(inputs: tf.Tensor, clip: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        labels = tf.one_hot(clip["label"], len(dataset.labels))
        return inputs, tf.repeat(labels, windows, axis=0)

    labeled = batches.map(label)
    if portion is None:
        return labeled
    # Keras divides the loss by the number of all clips, also of those that only fill up.
    weight = (clips + missing) / clips

    def weigh(
        pair: tuple[tf.Tensor, tf.Tensor], number: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        weights = tf.where(number < clips, weight, 0.0)
        return *pair, tf.repeat(weights, windows)

    numbers = portion.of(tf.data.Dataset.range(clips + missing).batch(batch_size), batch_size)
    return tf.data.Dataset.zip(labeled, numbers).map(weigh)


def _summary(
    run: Run, network: keras.Model, history: list[callbacks.Row], training: TrainingConfig
) -> dict[str, Any]:
    kept = callbacks.best_epoch(history) if training.checkpoint == "best" else len(history)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    row = history[kept - 1]
    return {
        "epochs": len(history),
        "kept_epoch": kept,
        "parameters": network.count_params(),
        "test_fold": run.info.test_fold,
        **callbacks.speed(history),
        "metrics": {name: row[name] for name in names if name in row},
    }
