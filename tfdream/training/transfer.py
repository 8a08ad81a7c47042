"""Training of transfer networks on aligned recordings of several instruments."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import TransferExperiment
from tfdream.datasets.aligned import AlignedClips, check_scores
from tfdream.datasets.augmentation.base import split
from tfdream.datasets.batches import InputPipeline, with_known_length
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.shuffling import EpochPlan
from tfdream.models.transfer import TransferNetwork
from tfdream.runs import RunInfo, TransferRun
from tfdream.signal.timbre import check_frontend
from tfdream.training import optimizers, splits, transfer_losses
from tfdream.training.distributed import Workers
from tfdream.training.task import Task
from tfdream.training.timed_model import TimedModel
from tfdream.training.transfer_losses import Losses

_VALIDATION_EXAMPLES = 256
_EQUAL_SHARE = 0.5
"""Share of the weight of a band that does not depend on its width."""

Triple = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
"""Levels of content, style and target, float32 `[batch, frames, bands]` each."""


class TransferTraining(TimedModel, keras.Model):
    """Fits a transfer network to batches of images of contents, styles and targets.

    Args:
      network: the network to fit.
      config: frontend, random changes, weights of the losses.
      steps_per_epoch: for the schedule of the learning rate.
    """

    def __init__(
        self, network: TransferNetwork, config: TransferExperiment, steps_per_epoch: int
    ) -> None:
        super().__init__(name="transfer")
        self.network = network
        self.settings = config.training
        self.top_db = config.frontend.top_db
        self.crop_frames = config.crop_frames
        self.band_weights = _band_weights(
            config.frontend.frequencies_hz(config.prepare.sample_rate)
        )
        self.means = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", *Losses._fields, "equalizer_db")
        }
        self.gradient_norm = config.training.gradient_norm
        self.built = True
        self.compile(optimizer=optimizers.build_for_transfer(config.training, steps_per_epoch))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics that `fit` resets before each epoch."""
        return list(self.means.values())

    def train_step(self, batch: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """Minimize the weighted losses of random parts with random equalizers.

        Returns:
          ``loss`` and the losses of `Losses`, the means over the epoch so far.
        """
        *images, of_examples = batch
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seeds = split(of_examples[0] + tf.cast([0, replica], of_examples.dtype), 6)
        levels = [self._levels(image) for image in images]
        triple = self._vary(self._crop(levels, seeds[0]), seeds[1:])

        def compute() -> tuple[tf.Tensor, Losses]:
            losses = self._compare(*triple)
            return self._total(losses), losses

        return self._update(*self.minimize(compute, self.network.trainable_variables))

    def test_step(self, batch: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """Return the losses of complete clips, and ``equalizer_db``: that of an equalizer."""
        content, style, target = (
            transfer_losses.relative_levels(self._levels(image)) for image in batch[:3]
        )
        losses = self._compare(content, style, target)
        equalized = transfer_losses.relative_levels(transfer_losses.equalize(content, style))
        baseline = transfer_losses.compute(equalized, content, target, self.band_weights)
        self.means["equalizer_db"].update_state(baseline.level_db)
        return self._update(self._total(losses), losses) | {
            "equalizer_db": self.means["equalizer_db"].result()
        }

    def _levels(self, image: tf.Tensor) -> tf.Tensor:
        """Convert images `[batch, bands, frames, 1]` to levels in dB `[batch, frames, bands]`."""
        return self.top_db * (tf.transpose(image[..., 0], [0, 2, 1]) - 1)

    def _crop(self, levels: list[tf.Tensor], seed: tf.Tensor) -> Triple:
        """Cut the same part of contents and targets, and another one of the styles."""
        content, style, target = levels
        last = content.shape[1] - self.crop_frames + 1
        starts = tf.random.stateless_uniform([2], seed, 0, last, tf.int32)

        def cut(values: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
            part = values[:, start : start + self.crop_frames]
            return tf.ensure_shape(part, [values.shape[0], self.crop_frames, values.shape[2]])

        return cut(content, starts[0]), cut(style, starts[1]), cut(target, starts[0])

    def _vary(self, triple: Triple, seeds: Sequence[tf.Tensor]) -> Triple:
        """Change contents at random, and styles and targets alike."""
        content, style, target = triple
        batch, bands = tf.shape(content)[0], content.shape[2]
        width_db = self.settings.equalizer_db
        first, second = (
            transfer_losses.random_equalizer(seed, batch, bands, width_db) for seed in seeds[:2]
        )
        content_floor, style_floor = (
            transfer_losses.random_floor(seed, batch, bands, self.settings.noise_share)
            for seed in seeds[2:4]
        )
        limit = transfer_losses.random_band_limit(
            seeds[4], batch, bands, self.settings.band_limit_share
        )

        def vary(levels: tf.Tensor, curve: tf.Tensor, floor: tf.Tensor) -> tf.Tensor:
            changed = levels + curve + limit
            peak = tf.reduce_max(changed, axis=[1, 2], keepdims=True)
            changed = tf.maximum(changed, peak + tf.maximum(floor, -self.top_db))
            return transfer_losses.relative_levels(changed)

        return (
            vary(content, first, content_floor),
            vary(style, second, style_floor),
            vary(target, second, tf.maximum(content_floor, style_floor)),
        )

    def _compare(self, content: tf.Tensor, style: tf.Tensor, target: tf.Tensor) -> Losses:
        gain_db = tf.cast(self.network((content, style)), tf.float32)
        lowest = tf.reduce_max(target, axis=[1, 2], keepdims=True) - self.top_db
        output = transfer_losses.relative_levels(tf.maximum(content + gain_db, lowest))
        return transfer_losses.compute(output, content, target, self.band_weights)

    def _total(self, losses: Losses) -> tf.Tensor:
        settings = self.settings
        return tf.reduce_mean(
            losses.level_db
            + settings.timbre_weight * losses.timbre
            + settings.onset_weight * losses.onsets_db
            + settings.floor_weight * losses.floor_db
        )

    def _update(self, loss: tf.Tensor, losses: Losses) -> dict[str, tf.Tensor]:
        values = {"loss": loss, **losses._asdict()}
        for name, value in values.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in values}


class TransferTask(Task):
    """Trains a transfer network on the aligned clips of a dataset."""

    run_type = TransferRun
    run: TransferRun

    def __init__(self, run: TransferRun, datasets: Sequence[Dataset], workers: Workers) -> None:
        (dataset,) = datasets
        self.run = run
        self.clips = AlignedClips(ClipSet.from_folds(dataset, run.info.training_folds))
        self.batch_size = run.config.training.batch_size
        self.steps = max(1, len(self.clips.content_ids) // self.batch_size)
        self.pipeline = InputPipeline(run.config, run.frontend, workers.replica_slice)
        self._validation_clips = None
        if run.info.validation_fold is not None:
            folds = [run.info.validation_fold]
            self._validation_clips = AlignedClips(ClipSet.from_folds(dataset, folds))

    @classmethod
    def describe(
        cls, config: TransferExperiment, datasets: Sequence[Dataset], test_fold: int | None
    ) -> RunInfo:
        check_frontend(config)
        check_scores(datasets[0])
        info = splits.split(datasets[0], config.training.validate_on, test_fold)
        return info.model_copy(update={"labels": []})  # instruments are not part of the network

    def build(self) -> tuple[TransferTraining, TransferNetwork]:
        network = self.run.build_network()
        return TransferTraining(network, self.run.config, self.steps), network

    def training_batches(self, first_epoch: int) -> tf.data.Dataset:
        seed = self.run.config.training.seed
        plan = EpochPlan(self.batch_size, self.steps, seed, first_epoch)
        return self.pipeline.triples(self.clips, plan)

    def validation_batches(self) -> tf.data.Dataset | None:
        """Make batches of random triples of held-out clips, the same in every epoch."""
        if self._validation_clips is None:
            return None
        examples = min(_VALIDATION_EXAMPLES, len(self._validation_clips.content_ids))
        count = math.ceil(examples / self.batch_size)
        plan = EpochPlan(self.batch_size, count, self.run.config.training.seed)
        return with_known_length(
            self.pipeline.triples(self._validation_clips, plan).take(count), count
        )

    @property
    def preview_sets(self) -> tuple[ClipSet, ...]:
        """The validation clips; empty without validation."""
        return () if self._validation_clips is None else (self._validation_clips.clip_set,)

    @property
    def facts(self) -> dict[str, Any]:
        return {"clips": self.clips.clip_set.clips}


def _band_weights(center_hz: Any) -> tf.Tensor:
    """Return weights of mel bands with a mean of 1: half equal, half by their width in Hz."""
    widths = np.gradient(np.asarray(center_hz))
    weights = _EQUAL_SHARE + (1 - _EQUAL_SHARE) * widths / widths.mean()
    return tf.constant(weights, tf.float32)
