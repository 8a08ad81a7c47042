"""Inputs of whole datasets: what the network will see of every clip, computed once.

Images of the STFT are computed by TensorFlow, fast enough to be made anew by every process that
trains, each when it is first needed. Hand-made features take librosa far longer: processes compute
them side by side beforehand, and an HDF5 file per shard keeps them below the dataset's folder.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tensorflow as tf

from tfdream.config import Experiment
from tfdream.datasets import records
from tfdream.datasets.augment import of_waveforms
from tfdream.datasets.cache import LazyCache
from tfdream.datasets.records import Dataset, Shard
from tfdream.errors import ConfigError, DatasetError
from tfdream.io import archives, processes
from tfdream.io.atomic import replacing
from tfdream.signal import features
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import FeatureFrontend

logger = logging.getLogger(__name__)

FOLDER = "features"
_FORMAT = 1
_BATCH_SIZE = 16


class Inputs(NamedTuple):
    """Of some clips, as arrays or as tensors."""

    values: np.ndarray | tf.Tensor
    """float16 `[clips, …]`, or float32 of hand-made features."""
    labels: np.ndarray | tf.Tensor
    """int64 `[clips]`."""
    tracks: np.ndarray | tf.Tensor
    """bytes `[clips]`."""


LookUp = Callable[[tf.Tensor], Inputs]
"""In the graph of a pipeline, numbers of clips int64 `[n]` → their inputs."""


def fit_memory(dataset: Dataset, config: Experiment) -> bool:
    """Whether the inputs of all clips are computed once, and kept.

    Raises:
      ConfigError: if they have to be and cannot: waveforms that change at random leave nothing to
        compute once, and hand-made features are too slow to be computed for every batch.
    """
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)
    random = of_waveforms(config.training.augmentation) or config.input_seconds is not None
    if not frontend.in_graph:
        if random:
            raise ConfigError(
                f"frontend kind={config.frontend.kind} is computed once for every clip, and cannot "
                "follow waveforms that change at random; leave out input_seconds and the "
                "augmentations of waveforms"
            )
        return True
    shape = frontend.shape(config.input_samples)
    return not random and records.fit_memory(dataset.clips, shape, config.training)


def keep(folder: Path, dataset: Dataset, shards: list[Shard], config: Experiment) -> LookUp:
    """The inputs of some shards, whose clips are numbered as they lie there.

    Each is computed when it is first looked up, but for features: those come from their HDF5 files,
    or are computed now.

    Raises:
      DatasetError: if features cannot be kept below `folder`.
    """
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)
    if isinstance(frontend, FeatureFrontend):
        found = _features(folder, dataset, shards, frontend)
        with tf.device("CPU:0"):  # where the pipeline runs
            columns = [tf.constant(column) for column in found]
        return lambda numbers: Inputs(*(tf.gather(column, numbers) for column in columns))

    read = records.record_reader(folder, shards)

    def hear(number: tf.Tensor) -> Inputs:
        clip = records.parse(read(number), dataset.config)
        image = frontend(clip["waveform"][tf.newaxis])[0]
        return Inputs(tf.cast(image, tf.float16), clip["label"], clip["track"])

    shape = frontend.shape(dataset.config.clip_samples)
    signature = [
        tf.TensorSpec(shape, tf.float16),
        tf.TensorSpec([], tf.int64),
        tf.TensorSpec([], tf.string),
    ]
    kept = LazyCache(records.count_clips(shards), hear, signature)
    return lambda numbers: Inputs(*kept.of(numbers))


def _features(
    folder: Path, dataset: Dataset, shards: list[Shard], frontend: FeatureFrontend
) -> Inputs:
    text = f"{_FORMAT} {dataset.config.sample_rate} {frontend.config.model_dump_json()}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    kept = folder / FOLDER / f"{frontend.config.kind}-{digest}"
    paths = [kept / f"{shard.name}.h5" for shard in shards]
    found = {path: _load(path, shard) for path, shard in zip(paths, shards, strict=True)}
    missing = {path: shard for path, shard in zip(paths, shards, strict=True) if not found[path]}
    if missing:
        clips = records.count_clips(missing.values())
        logger.info("computing the features of %d clips", clips)
        with processes.pool(min(os.cpu_count() or 1, clips)) as pool:
            for path, shard in missing.items():
                computed = _compute_features(folder, dataset, shard, frontend, pool)
                _save(path, shard, computed)
                found[path] = computed
    parts = [known for known in found.values() if known]
    return Inputs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _compute_features(
    folder: Path,
    dataset: Dataset,
    shard: Shard,
    frontend: FeatureFrontend,
    pool: ProcessPoolExecutor,
) -> Inputs:
    values: list[np.ndarray] = []
    labels, tracks = [], []
    of_clip = partial(features.compute, frontend.config, dataset.config.sample_rate)
    for clip in records.read(folder, dataset, [shard], _BATCH_SIZE):
        values += pool.map(of_clip, clip["waveform"].numpy())
        labels.append(clip["label"])
        tracks.append(clip["track"])
    return Inputs(np.stack(values)[..., np.newaxis], np.concatenate(labels), np.concatenate(tracks))


def _save(path: Path, shard: Shard, inputs: Inputs) -> None:
    try:
        with replacing(path) as temporary:
            archives.reserve_hdf5(temporary, [column.nbytes for column in inputs])
            with h5py.File(temporary, "w") as file:
                file.attrs["shard"] = shard.sha256
                for name, column in inputs._asdict().items():
                    file[name] = column
    except OSError as error:
        raise DatasetError(f"features cannot be kept in '{path}': {error}") from None


def _load(path: Path, shard: Shard) -> Inputs | None:
    """What `_save` wrote; None if that is missing, damaged, or of another state of the shard."""
    try:
        archives.check_hdf5(path)
        with h5py.File(path, "r") as file:
            if file.attrs["shard"] != shard.sha256:
                return None
            return Inputs(*(file[name][()] for name in Inputs._fields))
    except (OSError, KeyError, ValueError):
        return None
