"""Training of autoregressive sequence models."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import GenerationExperiment, GenerationTrainingConfig
from tfdream.datasets.batches import InputPipeline, with_known_length
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.pipelines import PREFETCHED_BATCHES
from tfdream.datasets.shuffling import EpochPlan
from tfdream.errors import ConfigError
from tfdream.models.sequence import SequenceModel
from tfdream.runs import GenerationRun, RunInfo
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.training import optimizers, splits
from tfdream.training.distributed import Workers
from tfdream.training.task import Task, label_error
from tfdream.training.timed_model import TimedModel

# Number of clips, spread over the tracks, from which a model computes its fixed statistics.
_ADAPTATION_CLIPS = 128
_BATCH_SIZE = 16


class SequenceModelTraining(TimedModel, keras.Model):
    """Fits a sequence model to batches of images float32 `[batch, bands, frames, 1]`.

    Args:
      sequence_model: the model to fit.
      config: optimizer and its schedule.
      steps_per_epoch: for the schedule of the learning rate.
    """

    def __init__(
        self,
        sequence_model: SequenceModel,
        config: GenerationTrainingConfig,
        steps_per_epoch: int,
    ) -> None:
        super().__init__(name="generation")
        self.sequence_model = sequence_model
        self.teacher_forcing = config.teacher_forcing
        self.mean = keras.metrics.Mean(name="loss")
        self.gradient_norm = config.gradient_norm
        self.built = True
        self.compile(optimizer=optimizers.build_for_generation(config, steps_per_epoch))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics that `fit` resets before each epoch."""
        return [self.mean]

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Minimize the loss of predicting each frame from true frames, or from the first frame.

        Returns:
          ``loss``, the mean over the epoch so far.
        """
        loss, _ = self.minimize(
            lambda: (self._loss(images, training=True), None),
            self.sequence_model.trainable_variables,
        )
        return self._update_mean(loss)

    def test_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the mean ``loss`` on held-out images."""
        return self._update_mean(self._loss(images))

    def _loss(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        frames = image_to_frames(images)
        if self.teacher_forcing:
            return self.sequence_model.mean_nll(frames, training)
        return self.sequence_model.free_running_nll(frames)

    def _update_mean(self, loss: tf.Tensor) -> dict[str, tf.Tensor]:
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}


def image_to_frames(images: tf.Tensor) -> tf.Tensor:
    """Transpose images `[batch, bands, frames, 1]` to frames `[batch, frames, bands]`."""
    return tf.transpose(images[..., 0], [0, 2, 1])


class GenerationTask(Task):
    """Trains a sequence model on the clips of one label, or of all."""

    run_type = GenerationRun
    run: GenerationRun

    def __init__(self, run: GenerationRun, datasets: Sequence[Dataset], workers: Workers) -> None:
        (dataset,) = datasets
        config = run.config
        self.run = run
        self.workers = workers
        self.clips = ClipSet.from_folds(
            dataset, run.info.training_folds, config.label, config.examples
        )
        if config.examples is not None and self.clips.clips < config.examples:
            raise ConfigError(
                f"examples={config.examples} is more than the {self.clips.clips} training clips "
                f"in '{dataset.folder}'; lower it, or remove it"
            )
        self.batch_size = min(config.training.batch_size, self.clips.clips)
        self.steps = self.clips.clips // self.batch_size
        self.pipeline = InputPipeline(config, run.frontend, workers.replica_slice)
        self._validation_clips = None
        if run.info.validation_fold is not None:
            folds = [run.info.validation_fold]
            self._validation_clips = ClipSet.from_folds(dataset, folds, config.label)
            self._validation_steps = math.ceil(self._validation_clips.clips / self.batch_size)

    @classmethod
    def describe(
        cls, config: GenerationExperiment, datasets: Sequence[Dataset], test_fold: int | None
    ) -> RunInfo:
        (dataset,) = datasets
        if config.label is not None and config.label not in dataset.labels:
            raise ConfigError(label_error(config.label, dataset))
        info = splits.split(dataset, config.training.validate_on, test_fold)
        if config.label is None:
            return info
        return info.model_copy(update={"labels": [config.label]})

    def build(self) -> tuple[SequenceModelTraining, SequenceModel]:
        sequence_model = self.run.build_sequence_model()
        training = self.run.config.training
        if sequence_model.stochastic and not training.teacher_forcing:
            raise ConfigError(
                f"training.teacher_forcing=false needs a model whose output has a gradient, but "
                f"model.name={self.run.config.model.name} samples its output; use "
                "teacher_forcing=true, or model.name=lstm"
            )
        return SequenceModelTraining(sequence_model, training, self.steps), sequence_model

    def adapt(self, network: SequenceModel) -> None:
        """Compute statistics of the model from frames of some training clips."""
        frontend = self.run.frontend
        assert isinstance(frontend, SpectrogramFrontend)
        frames, references = [], []
        waveforms = self.clips.waveforms(_ADAPTATION_CLIPS)
        while batch := list(itertools.islice(waveforms, _BATCH_SIZE)):
            image, metadata = frontend.analyze(tf.constant(np.stack(batch)))
            frames.append(image_to_frames(image).numpy().astype(np.float16))
            references.append(metadata.reference_db.numpy().ravel())
        reference_db = float(np.concatenate(references).mean())
        network.adapt(np.concatenate(frames), reference_db, self.run.config.training.seed)

    def training_batches(self, first_epoch: int) -> tf.data.Dataset:
        plan = EpochPlan(self.batch_size, self.steps, self.run.config.training.seed, first_epoch)
        cached = self.pipeline.fits_in_memory(self.clips.clips)
        return self.pipeline.shuffled(self.clips, plan, cached).prefetch(PREFETCHED_BATCHES)

    def validation_batches(self) -> tf.data.Dataset | None:
        """Make batches of every held-out clip once, repeating the first to fill the last batch."""
        if self._validation_clips is None:
            return None
        count = self._validation_steps
        batches = self.pipeline.ordered(self._validation_clips, self.batch_size, count)
        return with_known_length(batches, count)

    @property
    def preview_sets(self) -> tuple[ClipSet, ...]:
        """The validation clips; without validation, the training clips."""
        return (self._validation_clips or self.clips,)

    @property
    def preview_every(self) -> int:
        return self.run.config.training.preview_every

    @property
    def facts(self) -> dict[str, Any]:
        return {"clips": self.clips.clips}
