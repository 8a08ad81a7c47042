"""Inputs of whole datasets: what the network will see of every clip, computed once.

Images of the STFT are computed by TensorFlow, fast enough to be made anew by every process that
trains. Hand-made features take librosa far longer: processes compute them side by side, and an HDF5
file per shard keeps them below the dataset's folder.
"""

import hashlib
import logging
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from tfdream import archives
from tfdream.config import Experiment
from tfdream.datasets import processes, records
from tfdream.datasets.augment import of_waveforms
from tfdream.datasets.records import Dataset, Shard
from tfdream.errors import ConfigError, DatasetError
from tfdream.files import replacing
from tfdream.signal import features
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import FeatureFrontend

logger = logging.getLogger(__name__)

FOLDER = "features"
_FORMAT = 1
_BATCH_SIZE = 16


class Inputs(NamedTuple):
    """Of every clip of some shards, in their order."""

    values: np.ndarray
    """float16 `[clips, …]`, or float32 of hand-made features."""
    labels: np.ndarray
    """int64 `[clips]`."""
    tracks: np.ndarray
    """bytes `[clips]`."""


def fit_memory(dataset: Dataset, config: Experiment) -> bool:
    """Whether the inputs of all clips are computed once, before training.

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


def compute(folder: Path, dataset: Dataset, shards: list[Shard], config: Experiment) -> Inputs:
    """The inputs of some shards; features come from their HDF5 files where those exist.

    Raises:
      DatasetError: if features cannot be kept below `folder`.
    """
    frontend = frontends.build(config.frontend, dataset.config.sample_rate)
    if isinstance(frontend, FeatureFrontend):
        return _features(folder, dataset, shards, frontend)
    shape = frontend.shape(dataset.config.clip_samples)
    values = np.empty((sum(shard.clips for shard in shards), *shape), np.float16)
    labels, tracks = [], []
    done = 0
    for clip in records.read(folder, dataset, shards, _BATCH_SIZE):
        images = frontend(clip["waveform"])
        values[done : done + len(images)] = images
        done += len(images)
        labels.append(clip["label"])
        tracks.append(clip["track"])
    return Inputs(values, np.concatenate(labels), np.concatenate(tracks))


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
        clips = sum(shard.clips for shard in missing.values())
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
