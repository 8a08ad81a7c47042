"""`train` for a generator: fit it to the frames of one genre, or go on fitting it."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import GenerationExperiment, GenerationTrainingConfig
from tfdream.datasets import records
from tfdream.datasets.clip_set import ClipSet, endless_batches, fit_memory, ordered_batches
from tfdream.datasets.partition import ReplicaSlice
from tfdream.datasets.records import AHEAD, Dataset
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models.sequence import SequenceModel
from tfdream.runs import GenerationRun
from tfdream.signal.frontend import SpectrogramFrontend
from tfdream.training import callbacks, optimizers, splits
from tfdream.training.distributed import SINGLE_MACHINE, ClusterConfig
from tfdream.training.session import Batches, Session
from tfdream.training.timed_model import FitModel

# Clips that a generator adapts to before training, spread over the tracks.
_ADAPTED_TO = 128
_BATCH_SIZE = 16

PreviewFn = Callable[[SequenceModel, int], None]
"""Looks at the generator after so many epochs; at 0 before training."""

Preview = Callable[[GenerationRun, ClipSet], PreviewFn]


def train_generation(
    config: GenerationExperiment,
    dataset_folder: Path,
    run_folder: Path,
    test_fold: int | None = 0,
    force: bool = False,
    progress: ProgressFn = no_progress,
    watcher: Preview | None = None,
    machines: ClusterConfig = SINGLE_MACHINE,
) -> dict[str, Any]:
    """Train a generator on every fold but the held-out one.

    Args:
      config: label, generator, frontend and training.
      dataset_folder: that `prepare` wrote, with the same sample rate and clip length.
      run_folder: where the result goes; a run of the same settings there is continued.
      test_fold: held out; None to train on everything.
      force: start anew where `run_folder` holds a run already.
      progress: receives the finished steps and the steps of all epochs.
      watcher: makes, of held-out clips or, where nothing is held out, of those of training, what
        looks at the generator every `training.preview_every` epochs.
      machines: that take part.

    Returns:
      The JSON object of the command: run, epochs, clips, parameters, test_fold,
      examples_per_second, data_wait_fraction, seconds, metrics.

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or the run do not fit, or
        training breaks down.
      ClusterError: if another machine ends before this one does.
    """
    machines.refuse_service()
    with machines.joined(run_folder) as workers:
        dataset = records.load(dataset_folder)
        splits.check_clips(config, dataset, dataset_folder)
        _check_label(config, dataset, dataset_folder)
        info = splits.split(dataset, dataset_folder, config.training.validate_on, test_fold)
        if config.label is not None:
            info = info.model_copy(update={"labels": [config.label]})
        run = GenerationRun(workers.folder, config, info)
        session = Session(run, workers, force, progress)
        held_out = None
        if info.validation_fold is not None:
            shards = dataset.fold_shards([info.validation_fold])
            held_out = ClipSet(dataset_folder, dataset, shards, config.label)
        with records.report_corrupt_shards({dataset_folder: dataset}):
            side = _side(config, dataset_folder, dataset, info.training_folds)
            result = _fit(run, session, side, held_out, watcher)
        return session.end({"run": str(run_folder), **result})


def _fit(
    run: GenerationRun,
    session: Session,
    side: ClipSet,
    held_out: ClipSet | None,
    watcher: Preview | None,
) -> dict[str, Any]:
    """Train on some clips; see `train_generation` for what it returns."""
    workers = session.workers
    training = run.config.training
    batch_size = min(training.batch_size, side.clips)
    fitting = _with_batches_of(run.config, batch_size)
    steps = side.clips // batch_size
    validation = held_out and _validation(held_out, fitting, workers.portion)
    workers.check_batch_size(batch_size)
    with session.building():
        generator = run.build_sequence_model()
        model = SequenceModelTraining(generator, training, steps)
        session.begin(model)
        if not session.history:
            generator.adapt(*_examples(side, run), training.seed)
    if not session.finished:
        watch = watcher(run, held_out or side) if watcher else None
        batches = endless_batches(
            side,
            fitting,
            steps * batch_size,
            training.seed,
            fit_memory([side], fitting),
            session.first_epoch,
            workers.portion,
        )
        session.fit(
            model,
            generator,
            Batches(batches.prefetch(AHEAD), batch_size, steps),
            validation,
            after=[_watching(watch, generator, training)] if watch else [],
        )
    return _summary(run, generator, side, session.history)


class SequenceModelTraining(FitModel, keras.Model):
    """A generator as what `fit` takes: batches of images float32 `[batch, bands, frames, 1]`.

    Args:
      generator: to be fitted.
      config: of the training.
      steps_per_epoch: for the schedule of the learning rate.
    """

    def __init__(
        self, generator: SequenceModel, config: GenerationTrainingConfig, steps_per_epoch: int
    ) -> None:
        super().__init__(name="generation")
        self.generator = generator
        self.mean = keras.metrics.Mean(name="loss")
        self.built = True
        self.compile(optimizer=optimizers.of_generation(config, steps_per_epoch))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What `fit` resets before each epoch."""
        return [self.mean]

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Fit the generator to what follows each frame.

        Returns:
          ``loss``, the mean over the epoch so far.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            loss = self.generator.loss_of(image_to_frames(images), training=True)
            scaled = self.optimizer.scale_loss(loss / replicas)
        weights = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, weights), weights)
        return self._noted(loss)

    def test_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The ``loss`` on held-out images."""
        return self._noted(self.generator.loss_of(image_to_frames(images)))

    def _noted(self, loss: tf.Tensor) -> dict[str, tf.Tensor]:
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}


def image_to_frames(images: tf.Tensor) -> tf.Tensor:
    """Pictures `[batch, bands, frames, 1]` → frames `[batch, frames, bands]`."""
    return tf.transpose(images[..., 0], [0, 2, 1])


def _watching(
    watch: PreviewFn, generator: SequenceModel, training: GenerationTrainingConfig
) -> callbacks.PreviewCallback:
    return callbacks.PreviewCallback(
        lambda epochs: watch(generator, epochs), training.preview_every, training.epochs
    )


def _check_label(config: GenerationExperiment, dataset: Dataset, folder: Path) -> None:
    if config.label is not None and config.label not in dataset.labels:
        raise ConfigError(
            f"label: '{config.label}' is not one of '{folder}', which has "
            f"{', '.join(dataset.labels)}"
        )


def _side(
    config: GenerationExperiment, folder: Path, dataset: Dataset, folds: list[int]
) -> ClipSet:
    """The clips to learn."""
    side = ClipSet(folder, dataset, dataset.fold_shards(folds), config.label, config.examples)
    if config.examples is not None and side.clips < config.examples:
        raise ConfigError(
            f"examples={config.examples} is more than the {side.clips} clips there are to learn "
            f"in '{folder}'; lower it, or leave it out"
        )
    return side


def _with_batches_of(config: GenerationExperiment, clips: int) -> GenerationExperiment:
    """The same experiment with batches that the clips fill."""
    training = config.training.model_copy(update={"batch_size": clips})
    return config.model_copy(update={"training": training})


def _validation(
    held_out: ClipSet, config: GenerationExperiment, portion: ReplicaSlice
) -> tf.data.Dataset:
    """Every held-out clip once; from the first again, until every device has its share."""
    count = math.ceil(held_out.clips / config.training.batch_size)
    batches = ordered_batches(held_out, config, count, portion).prefetch(AHEAD)
    # The count lets `fit` know the end of the data without running into it.
    return batches.apply(tf.data.experimental.assert_cardinality(count))


def _examples(side: ClipSet, run: GenerationRun) -> tuple[np.ndarray, float]:
    """Frames of some clips, float16 `[clips, frames, bands]`, and the mean level of 1 in them."""
    frontend = run.frontend
    assert isinstance(frontend, SpectrogramFrontend)
    frames, references = [], []
    waveforms = side.waveforms(_ADAPTED_TO)
    while batch := list(itertools.islice(waveforms, _BATCH_SIZE)):
        image, remainder = frontend.analyze(tf.constant(np.stack(batch)))
        frames.append(image_to_frames(image).numpy().astype(np.float16))
        references.append(remainder.reference_db.numpy().ravel())
    return np.concatenate(frames), float(np.concatenate(references).mean())


def _summary(
    run: GenerationRun, generator: SequenceModel, side: ClipSet, history: list[callbacks.Row]
) -> dict[str, Any]:
    row = history[-1]
    names = (name for name in row if name not in callbacks.MACHINE_COLUMNS)
    return {
        "epochs": len(history),
        "clips": side.clips,
        "parameters": sum(math.prod(weight.shape) for weight in generator.trainable_weights),
        "test_fold": run.info.test_fold,
        **callbacks.speed(history),
        "metrics": {name: row[name] for name in names},
    }
