"""`tf.data` pipelines of every task: clip sets → batches of model inputs.

Records are decoded, augmented as waveforms, batched, converted by the frontend, cached or augmented
as images, and prefetched. Every random number depends only on the seed and the number of the epoch
or step, so that resumed training processes the same batches as uninterrupted training.
"""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfdream.config import BaseExperiment, Experiment
from tfdream.datasets import augmentation, feature_files, records
from tfdream.datasets.aligned import AlignedClips
from tfdream.datasets.augmentation.base import split
from tfdream.datasets.cache import LazyCache
from tfdream.datasets.clip_set import ClipSet, evenly_spaced
from tfdream.datasets.partition import WHOLE_BATCH, ReplicaSlice
from tfdream.datasets.pipelines import PARALLEL, PREFETCHED_BATCHES, pipeline
from tfdream.datasets.service import Service
from tfdream.datasets.shuffling import EpochPlan, OpenStream, shuffled_ids, shuffled_stream
from tfdream.datasets.views import at_speeds, window_starts
from tfdream.errors import ConfigError
from tfdream.signal.frontends import Frontend
from tfdream.signal.frontends.features import FeatureFrontend

logger = logging.getLogger(__name__)

LabeledInputs = tuple[tf.Tensor, dict[str, tf.Tensor]]
"""Inputs float32 `[batch × windows × speeds, …]`; ``label`` int64 and ``track`` string of their
clips `[batch]`."""
Lookup = Callable[[tf.Tensor], LabeledInputs]
"""Graph function: clip ids int64 `[batch]` → their inputs, labels and tracks."""
Columns = Callable[[tf.Tensor], Sequence[tf.Tensor]]
"""Graph function: clip ids int64 `[batch]` → inputs, labels and tracks from a cache."""


class InputPipeline:
    """Makes batches of one experiment's model inputs.

    Args:
      config: frontend, clip length, batch size, augmentation, memory limit.
      frontend: the frontend of `config`, built once per run.
      replica_slice: the slice of each batch that this process computes.
    """

    def __init__(
        self, config: BaseExperiment, frontend: Frontend, replica_slice: ReplicaSlice = WHOLE_BATCH
    ) -> None:
        self.config = config
        self.frontend = frontend
        self.replica_slice = replica_slice
        self._caches: list[tuple[ClipSet, Columns]] = []

    @pipeline
    def shuffled(self, clip_set: ClipSet, plan: EpochPlan, cached: bool) -> tf.data.Dataset:
        """Stream shuffled batches without end, `plan.steps` per epoch.

        Where the clip set is smaller than an epoch, it is repeated in another order.

        Args:
          clip_set: the clips.
          plan: batches and epochs.
          cached: compute each input once and keep it in memory as float16.

        Returns:
          Inputs float32 `[batch, …]`.
        """
        if cached:
            batches = shuffled_ids(clip_set.interleaved_ids, plan)
        else:
            batches = self._shuffled_stream(clip_set, clip_set.stream_ids, plan)
        lookup = self._lookup(clip_set, cached)
        return self._slice(batches, plan.batch_size).map(lambda ids: lookup(ids)[0], **PARALLEL)

    @pipeline
    def ordered(self, clip_set: ClipSet, batch_size: int, count: int) -> tf.data.Dataset:
        """Make `count` batches of the clips in order, starting over after the last clip.

        Returns:
          Inputs float32 `[batch, …]`.
        """
        ids = tf.data.Dataset.from_tensor_slices(clip_set.interleaved_ids)
        batches = ids.repeat().take(count * batch_size).batch(batch_size)
        lookup = self._lookup(clip_set, cached=False)
        return self._slice(batches, batch_size).map(lambda ids: lookup(ids)[0], **PARALLEL)

    @pipeline
    def triples(self, aligned: AlignedClips, plan: EpochPlan) -> tf.data.Dataset:
        """Stream shuffled batches of content, style and target without end.

        Returns:
          Three inputs float32 `[batch, …]`, and the seed of the step, equal for all examples: int64
          `[batch, 2]`, so that each device receives it.
        """
        clip_set = aligned.clip_set
        contents = shuffled_ids(aligned.content_ids, plan)
        lookup = self._lookup(clip_set, self.fits_in_memory(clip_set.clips))

        def complete(content: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, ...]:
            target_seed, style_seed, step_seed = self._step_seeds(step, self.replica_slice)
            target, style = aligned.draw(content, [target_seed, style_seed])
            inputs, _ = lookup(tf.concat([content, style, target], axis=0))
            count = tf.shape(content)[0]
            return *tf.split(inputs, 3), tf.repeat(step_seed[tf.newaxis], count, axis=0)

        steps = tf.data.Dataset.counter(plan.first_step)
        batches = tf.data.Dataset.zip(self._slice(contents, plan.batch_size), steps)
        return batches.map(complete, **PARALLEL).prefetch(PREFETCHED_BATCHES)

    def fits_in_memory(self, clips: int) -> bool:
        """Return whether inputs of so many clips may be cached as float16."""
        size = clips * math.prod(self.frontend.shape(self.config.input_samples)) * 2
        return size <= self.config.training.memory_gigabytes * 1e9

    def _shuffled_stream(
        self, clip_set: ClipSet, open_stream: OpenStream, plan: EpochPlan
    ) -> tf.data.Dataset:
        window = min(self.config.training.shuffle_clips, clip_set.clips)
        return shuffled_stream(clip_set, open_stream, window, plan)

    def _slice(self, batches: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        return self.replica_slice.apply(batches, batch_size)

    def _step_seeds(self, step: tf.Tensor, replica_slice: ReplicaSlice) -> list[tf.Tensor]:
        """Return three random seeds int64 `[2]` for one slice of the batch of a step."""
        seed = tf.stack([tf.cast(self.config.training.seed, tf.int64), step])
        return split(replica_slice.seed(seed), 3)

    def _lookup(self, clip_set: ClipSet, cached: bool) -> Lookup:
        """Return a function from clip ids to inputs, which are cached, or computed every time.

        There is one cache for each clip set.
        """
        if not cached:
            featurize = self._featurize(clip_set)

            def compute_batch(ids: tf.Tensor) -> LabeledInputs:
                return featurize(tf.map_fn(clip_set.read, ids, fn_output_signature=tf.string))

            return compute_batch
        columns = next((each for clips, each in self._caches if clips is clip_set), None)
        if columns is None:
            columns = self._cached_columns(clip_set)
            self._caches.append((clip_set, columns))

        def lookup(ids: tf.Tensor) -> LabeledInputs:
            values, labels, tracks = columns(ids)
            return tf.cast(values, tf.float32), {"label": labels, "track": tracks}

        return lookup

    def _featurize(
        self, clip_set: ClipSet, speeds: Sequence[float] = (1.0,)
    ) -> Callable[[tf.Tensor], LabeledInputs]:
        """Return a graph function: serialized records string `[batch]` → inputs."""
        starts = window_starts(self.config)
        samples = self.config.input_samples

        def featurize(serialized: tf.Tensor) -> LabeledInputs:
            clip = records.parse_batch(serialized, clip_set.dataset.config)
            waveform = clip.pop("waveform")
            windows = [waveform[:, start : start + samples] for start in starts]
            every = tf.reshape(tf.stack(windows, 1), [-1, samples])
            return self.frontend(at_speeds(every, speeds)), clip

        return featurize

    def _cached_columns(self, clip_set: ClipSet) -> Columns:
        """Make a cache of the inputs, labels and tracks of a clip set.

        Inputs are float16 and computed on first access; features of librosa are float32 and
        computed now, unless they are stored.
        """
        if isinstance(self.frontend, FeatureFrontend):
            stored = feature_files.load_or_compute(clip_set, self.frontend)
            with tf.device("CPU:0"):  # where the pipeline runs
                columns = [tf.constant(column) for column in stored]
            return lambda ids: [tf.gather(column, ids) for column in columns]

        def compute(clip_id: tf.Tensor) -> tuple[tf.Tensor, ...]:
            clip = records.parse(clip_set.read(clip_id), clip_set.dataset.config)
            image = self.frontend(clip["waveform"][tf.newaxis])[0]
            return tf.cast(image, tf.float16), clip["label"], clip["track"]

        shape = self.frontend.shape(clip_set.dataset.config.clip_samples)
        signature = [
            tf.TensorSpec(shape, tf.float16),
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([], tf.string),
        ]
        return LazyCache(clip_set.clip_ids, compute, signature).lookup


class _Seeds(NamedTuple):
    """Random seeds int64 `[2]` of the augmentation of a batch."""

    inputs: tf.Tensor
    crop: tf.Tensor
    waveforms: tf.Tensor


class LabeledPipeline(InputPipeline):
    """Makes batches of inputs and labels for a classifier, with augmentation."""

    config: Experiment

    def __init__(
        self,
        config: Experiment,
        frontend: Frontend,
        replica_slice: ReplicaSlice = WHOLE_BATCH,
    ) -> None:
        super().__init__(config, frontend, replica_slice)
        rate = config.prepare.sample_rate
        self._augment_waveform = augmentation.waveform_augmentation(
            config.training.augmentation, rate
        )
        self._augment_input = augmentation.input_augmentation(config.training.augmentation)

    def is_cached(self, clips: int) -> bool:
        """Return whether each input of a dataset of so many clips is computed once and cached.

        Raises:
          ConfigError: if features of librosa, which are too slow to be computed in every step,
            would have to follow waveforms that change.
        """
        config = self.config
        random = augmentation.changes_waveforms(config.training.augmentation) or bool(
            config.input_seconds
        )
        if not self.frontend.in_graph:
            if random or config.test_speeds != (1.0,):
                raise ConfigError(
                    f"frontend kind={config.frontend.kind} is computed once per clip and cannot be "
                    "combined with waveforms that change; remove input_seconds, test_speeds and "
                    "the augmentations of waveforms"
                )
            return True
        return not random and self.fits_in_memory(clips)

    @pipeline
    def training(
        self, clip_set: ClipSet, plan: EpochPlan, service: Service | None = None
    ) -> tf.data.Dataset:
        """Stream shuffled and augmented batches without end, `plan.steps` per epoch.

        Args:
          clip_set: complete shards.
          plan: batches and epochs.
          service: data service that computes the batches, unless their inputs are cached.

        Returns:
          Inputs float32 `[batch, …]` and labels float32 `[batch, classes]`, one-hot or mixed.
        """
        class_count = len(clip_set.dataset.labels)
        if self.is_cached(clip_set.dataset.clips):
            if service is not None:
                logger.info("all inputs are cached in memory; the data service is not used")
            lookup = self._lookup(clip_set, cached=True)
            ids = shuffled_ids(clip_set.clip_ids, plan)
            batches = self._slice(ids, plan.batch_size).map(lookup, **PARALLEL)

            def finish(batch: Any, step: tf.Tensor, replica_slice: ReplicaSlice) -> Any:
                inputs, clip = batch
                seed = self._seeds(step, replica_slice).inputs
                return self._augment(inputs, clip["label"], class_count, seed)
        else:
            batches = self._shuffled_stream(clip_set, clip_set.stream_records, plan)

            def finish(batch: Any, step: tf.Tensor, replica_slice: ReplicaSlice) -> Any:
                return self._featurize_and_augment(batch, clip_set, step, replica_slice)

            if service is not None:
                remote = service.distribute(
                    batches, plan.first_step, plan.batch_size, finish, self.replica_slice
                )
                return remote.prefetch(PREFETCHED_BATCHES)
            batches = self._slice(batches, plan.batch_size)
        steps = tf.data.Dataset.counter(plan.first_step)
        return (
            tf.data.Dataset.zip(batches, steps)
            .map(lambda batch, step: finish(batch, step, self.replica_slice), **PARALLEL)
            .prefetch(PREFETCHED_BATCHES)
        )

    @pipeline
    def evaluation(
        self,
        clip_set: ClipSet,
        batch_size: int,
        repeated: bool = False,
        fill: bool = False,
        speeds: Sequence[float] = (1.0,),
    ) -> tf.data.Dataset:
        """Make batches of every clip once, in the order of the records.

        Args:
          clip_set: complete shards.
          batch_size: in clips.
          repeated: whether the result is iterated more than once, so that caching pays.
          fill: whether the last batch is filled up with the first clips, for replicas.
          speeds: playback speeds of each window; one, if `repeated`.

        Returns:
          `LabeledInputs`; with one window per clip unless clips are longer than the model's input.
        """
        count = math.ceil(clip_set.clips / batch_size)
        cached = self.is_cached(clip_set.dataset.clips) and (repeated or not self.frontend.in_graph)
        if cached:
            compute, items = (
                self._lookup(clip_set, cached=True),
                tf.data.Dataset.range(clip_set.clips),
            )
        else:
            compute, items = self._featurize(clip_set, speeds), clip_set.records_in_order()
        if fill:
            batches = self._slice(items.repeat().batch(batch_size).take(count), batch_size)
        else:
            batches = items.batch(batch_size)
        return with_known_length(batches.map(compute, **PARALLEL), count)

    @pipeline
    def sample(self, clip_set: ClipSet, clips: int) -> tf.data.Dataset:
        """Make batches of the inputs float32 `[batch, …]` of some clips, spread over all."""
        ids = clip_set.clip_ids[evenly_spaced(clip_set.clips, clips)]
        lookup = self._lookup(clip_set, cached=not self.frontend.in_graph)
        batches = tf.data.Dataset.from_tensor_slices(ids).batch(self.config.training.batch_size)
        inputs = batches.map(lambda ids: lookup(ids)[0], **PARALLEL)
        return inputs.prefetch(PREFETCHED_BATCHES)

    def _seeds(self, step: tf.Tensor, replica_slice: ReplicaSlice) -> _Seeds:
        return _Seeds(*self._step_seeds(step, replica_slice))

    def _featurize_and_augment(
        self, serialized: tf.Tensor, clip_set: ClipSet, step: tf.Tensor, replica_slice: ReplicaSlice
    ) -> tuple[tf.Tensor, tf.Tensor]:
        clip = records.parse_batch(serialized, clip_set.dataset.config)
        seeds = self._seeds(step, replica_slice)
        waveform = augmentation.random_crop(clip["waveform"], self.config.input_samples, seeds.crop)
        inputs = self.frontend(self._augment_waveform(waveform, seeds.waveforms))
        return self._augment(inputs, clip["label"], len(clip_set.dataset.labels), seeds.inputs)

    def _augment(
        self, inputs: tf.Tensor, label: tf.Tensor, class_count: int, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._augment_input(
            tf.cast(inputs, tf.float32), tf.one_hot(label, class_count), seed
        )


def with_known_length(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """Prefetch batches, and declare their number so that `fit` needs no extra iteration."""
    prefetched = batches.prefetch(PREFETCHED_BATCHES)
    return prefetched.apply(tf.data.experimental.assert_cardinality(count))
