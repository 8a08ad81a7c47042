"""Training of CycleGANs, which translate between two labels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import TranslationExperiment
from tfdream.datasets.batches import InputPipeline, with_known_length
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.pipelines import PREFETCHED_BATCHES
from tfdream.datasets.shuffling import EpochPlan
from tfdream.errors import ConfigError, ModelError
from tfdream.runs import RunInfo, TranslationRun
from tfdream.training import splits
from tfdream.training.callbacks import Row
from tfdream.training.cyclegan import CycleGAN
from tfdream.training.distributed import Workers
from tfdream.training.task import Task, label_error

# A generator whose translations differ from each other by less than the first share of the
# difference between real images, after it exceeded the second, has collapsed.
_COLLAPSED, _ALIVE = 0.02, 0.1
_EXCERPT_SECONDS = 60

DomainPair = tuple[ClipSet, ClipSet]
"""The clips of the first and of the second label."""


class TranslationTask(Task):
    """Trains a CycleGAN on the unpaired clips of two labels of one dataset, or of two datasets."""

    run_type = TranslationRun
    most_datasets = 2
    run: TranslationRun

    def __init__(self, run: TranslationRun, datasets: Sequence[Dataset], workers: Workers) -> None:
        self.run = run
        self.workers = workers
        self.pipeline = InputPipeline(run.config, run.frontend, workers.replica_slice)
        infos = [_split(run.config, dataset, run.info.test_fold) for dataset in datasets]
        self.domains = self._select(datasets, [info.training_folds for info in infos])
        self.batch_size = run.config.training.batch_size
        largest = max(domain.clips for domain in self.domains)
        self.steps = run.config.training.steps_per_epoch or max(1, largest // self.batch_size)
        self._validation_domains: DomainPair | None = None
        if run.info.validation_fold is not None:
            folds = [run.info.validation_fold]
            self._validation_domains = self._select(datasets, [folds] * len(datasets))
            largest = max(domain.clips for domain in self._validation_domains)
            self._validation_steps = math.ceil(largest / self.batch_size)

    @classmethod
    def describe(
        cls, config: TranslationExperiment, datasets: Sequence[Dataset], test_fold: int | None
    ) -> RunInfo:
        if len(datasets) == 2 and datasets[0].folder.resolve() == datasets[1].folder.resolve():
            raise ConfigError(
                f"'{datasets[1].folder}' is given for both labels; give a dataset of the second one"
            )
        labels = _domain_labels(config, datasets)
        infos = [_split(config, dataset, test_fold) for dataset in datasets]
        return infos[0].model_copy(
            update={
                "labels": list(labels),
                "dataset": " and ".join(info.dataset for info in infos),
                "dataset_fingerprint": " ".join(info.dataset_fingerprint for info in infos),
                "training_folds": sorted({fold for info in infos for fold in info.training_folds}),
            }
        )

    def build(self) -> tuple[CycleGAN, keras.Model]:
        training = self.run.config.training
        forward, backward = self.run.build_networks(), self.run.build_networks()
        averaged = self.run.build_generators() if training.average_decay else None
        model = CycleGAN(forward, backward, training, self.steps, averaged)
        if averaged is not None:
            averaged.set_weights(model.generators.get_weights())
        self._discriminators = model.discriminators
        return model, model.stored

    def adapt(self, network: keras.Model) -> None:
        """Store excerpts of both labels, of which `translate` can compose its results."""
        config = self.run.config.prepare
        count = math.ceil(_EXCERPT_SECONDS / config.clip_seconds)
        for label, domain in zip(self.run.labels, self.domains, strict=True):
            excerpts = np.concatenate(list(domain.waveforms(count)))
            audio.write(self.run.excerpt_path(label), excerpts, config.sample_rate, bits=16)

    def training_batches(self, first_epoch: int) -> tf.data.Dataset:
        """Stream pairs of image batches; the smaller domain is repeated within an epoch."""
        seed = self.run.config.training.seed
        cached = self.pipeline.fits_in_memory(sum(domain.clips for domain in self.domains))
        streams = [
            self.pipeline.shuffled(
                domain,
                EpochPlan(self.batch_size, self.steps, 2 * seed + number, first_epoch),
                cached,
            )
            for number, domain in enumerate(self.domains)
        ]
        return tf.data.Dataset.zip(*streams).prefetch(PREFETCHED_BATCHES)

    def validation_batches(self) -> tf.data.Dataset | None:
        """Make batches of every clip of the larger domain once, and as many of the smaller one."""
        domains = self._validation_domains
        if domains is None:
            return None
        count = self._validation_steps
        streams = [self.pipeline.ordered(domain, self.batch_size, count) for domain in domains]
        return with_known_length(tf.data.Dataset.zip(*streams), count)

    def callbacks(self, history: list[Row]) -> list[keras.callbacks.Callback]:
        return [CollapseDetector(history), AverageWeights()]

    @property
    def preview_sets(self) -> tuple[ClipSet, ...]:
        """The validation clips of both labels; empty without validation."""
        return self._validation_domains or ()

    @property
    def preview_every(self) -> int:
        return self.run.config.training.preview_every

    @property
    def facts(self) -> dict[str, Any]:
        return {"labels": self.run.labels}

    def count_parameters(self, network: keras.Model) -> int:
        return int(network.count_params() + self._discriminators.count_params())

    def _select(self, datasets: Sequence[Dataset], folds: Sequence[list[int]]) -> DomainPair:
        if len(datasets) == 1:
            clips = ClipSet.from_folds(datasets[0], folds[0])
            first, second = (replace(clips, label=label) for label in self.run.labels)
            return first, second
        labels = self.run.config.labels or (None, None)
        first, second = (
            # The clips of a dataset with one label may have another name in the run.
            ClipSet.from_folds(dataset, own, label if len(dataset.labels) > 1 else None)
            for dataset, own, label in zip(datasets, folds, labels, strict=True)
        )
        return first, second


class AverageWeights(keras.callbacks.Callback):
    """Updates the averaged generators before they are stored and shown."""

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        """Copy the moving averages."""
        self.model.update_averages()


class CollapseDetector(keras.callbacks.Callback):
    """Stops training when a generator maps all clips to nearly the same image.

    It runs before the checkpoint, so that the last good state stays.

    Args:
      history: a row per finished epoch.
    """

    def __init__(self, history: list[Row]) -> None:
        super().__init__()
        self.history = history

    def on_epoch_end(self, epoch: int, logs: Row) -> None:
        """Compare the spreads of the translations with those of earlier epochs.

        Raises:
          ModelError: if one has fallen to almost zero.
        """
        for name in ("spread_forward", "spread_backward"):
            before = max((row[name] for row in self.history), default=0.0)
            if logs[name] < _COLLAPSED and before > _ALIVE:
                raise ModelError(
                    f"after epoch {epoch + 1} the generator returns nearly the same image for "
                    f"every clip ({name}={logs[name]:.3f}, before {before:.3f}): it has collapsed. "
                    "Use a lower training.learning_rate or another training.seed; the state of "
                    "earlier epochs is stored"
                )


def _split(config: TranslationExperiment, dataset: Dataset, test_fold: int | None) -> RunInfo:
    return splits.split(dataset, config.training.validate_on, test_fold)


def _domain_labels(config: TranslationExperiment, datasets: Sequence[Dataset]) -> tuple[str, str]:
    """Return the labels of the two domains, in the direction of the forward translation.

    A dataset with several labels is used completely, under the name of its folder, unless the
    configuration names one of them.
    """
    if len(datasets) == 2:
        names = [
            dataset.labels[0] if len(dataset.labels) == 1 else dataset.name for dataset in datasets
        ]
        first, second = config.labels or names
        if first == second:
            raise ConfigError(
                f"both datasets have the label '{first}'; name the labels with "
                "--set 'labels=[…, …]'"
            )
        if config.labels is not None:
            for label, dataset in zip(config.labels, datasets, strict=True):
                if len(dataset.labels) > 1 and label not in dataset.labels:
                    raise ConfigError(label_error(label, dataset))
        return first, second
    (dataset,) = datasets
    if config.labels is None:
        if len(dataset.labels) != 2:
            raise ConfigError(
                f"'{dataset.folder}' has the labels {', '.join(dataset.labels)}; choose two, such "
                f"as --set 'labels=[{', '.join(dataset.labels[:2])}]'"
            )
        first, second = dataset.labels
        return first, second
    for label in config.labels:
        if label not in dataset.labels:
            raise ConfigError(label_error(label, dataset))
    return config.labels
