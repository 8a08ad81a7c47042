"""Features of librosa for whole datasets: computed in parallel processes, one HDF5 file per shard.

They take librosa far longer than a spectrogram takes TensorFlow, so they are stored below the
dataset's folder and read from there by later runs.
"""

import hashlib
import logging
import os
import uuid
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from tfdream.datasets import records
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Shard
from tfdream.datasets.pipelines import untuned, without_autograph
from tfdream.datasets.read_errors import report_damaged_shards
from tfdream.errors import DatasetError
from tfdream.io import archives, processes
from tfdream.io.atomic import replacing, temporary_path
from tfdream.signal import features
from tfdream.signal.frontends.features import FeatureFrontend

logger = logging.getLogger(__name__)

FOLDER = "features"
_FORMAT = 1
_BATCH_SIZE = 16


class Features(NamedTuple):
    """Features of some clips, in the order of the records."""

    values: NDArray[Any]
    """float32 `[clips, …]`."""
    labels: NDArray[Any]
    """int64 `[clips]`."""
    tracks: NDArray[Any]
    """bytes `[clips]`."""


def load_or_compute(clip_set: ClipSet, frontend: FeatureFrontend) -> Features:
    """Read the features of every clip of the shards, computing and storing what is missing.

    Raises:
      DatasetError: if they cannot be written below the dataset's folder, or a shard is damaged.
    """
    dataset = clip_set.dataset
    text = f"{_FORMAT} {dataset.config.sample_rate} {frontend.config.model_dump_json()}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = dataset.folder / FOLDER / f"{frontend.config.kind}-{digest}"
    paths = {shard.name: folder / f"{shard.name}.h5" for shard in clip_set.shards}
    parts = {shard.name: _load(paths[shard.name], shard) for shard in clip_set.shards}
    missing = [shard for shard in clip_set.shards if parts[shard.name] is None]
    if missing:
        clips = sum(shard.clips for shard in missing)
        logger.info("computing the features of %d clips", clips)
        with processes.pool(min(os.cpu_count() or 1, clips)) as pool:
            for shard in missing:
                computed = _compute(ClipSet(dataset, (shard,)), frontend, pool)
                _save(paths[shard.name], shard, computed)
                parts[shard.name] = computed
    complete = [part for part in parts.values() if part is not None]
    return Features(*(np.concatenate(column) for column in zip(*complete, strict=True)))


def remove(folder: Path) -> None:
    """Remove the stored features of a dataset; other files are left as they are."""
    shards = "fold*-*.tfrecord"
    names = (f"{shards}.h5", _temporary_path(Path(f"{shards}.h5"), "*").name)
    files = [path for name in names for path in folder.glob(f"{FOLDER}/*-*/{name}")]
    for path in files:
        path.unlink()
    for emptied in (*{path.parent for path in files}, folder / FOLDER):
        if emptied.is_dir() and not any(emptied.iterdir()):
            emptied.rmdir()


def _compute(clip_set: ClipSet, frontend: FeatureFrontend, pool: ProcessPoolExecutor) -> Features:
    config = clip_set.dataset.config
    compute_clip = partial(features.compute, frontend.spec, config.sample_rate)
    values: list[NDArray[Any]] = []
    labels, tracks = [], []
    parse = without_autograph(partial(records.parse_batch, config=config))
    with report_damaged_shards([clip_set.dataset]):
        batches = clip_set.records_in_order().batch(_BATCH_SIZE).map(parse)
        for batch in untuned(batches).as_numpy_iterator():
            values += pool.map(compute_clip, batch["waveform"])
            labels.append(batch["label"])
            tracks.append(batch["track"])
    return Features(
        np.stack(values)[..., np.newaxis], np.concatenate(labels), np.concatenate(tracks)
    )


def _save(path: Path, shard: Shard, computed: Features) -> None:
    """Write a file, which other processes may write at the same time.

    The first process that finishes removes the temporary files of the others, and of killed ones.
    """
    try:
        with replacing(path, _temporary_path(path, uuid.uuid4().hex)) as temporary:
            archives.reserve_hdf5(temporary, [column.nbytes for column in computed])
            with h5py.File(temporary, "w") as file:
                file.attrs["shard"] = shard.sha256
                for name, column in computed._asdict().items():
                    file[name] = column
        for other in path.parent.glob(_temporary_path(path, "*").name):
            other.unlink(missing_ok=True)
    except OSError as error:
        if _load(path, shard) is None:  # otherwise another process finished first
            raise DatasetError(f"features cannot be written to '{path}': {error}") from None


def _temporary_path(path: Path, writer: str) -> Path:
    """Return the temporary path of one of the processes that write a file."""
    return temporary_path(path.with_name(f"{writer}.{path.name}"))


def _load(path: Path, shard: Shard) -> Features | None:
    """Read a file of `_save`; None if it is missing, damaged, or of another state of the shard."""
    try:
        archives.check_hdf5(path)
        with h5py.File(path, "r") as file:
            if file.attrs["shard"] != shard.sha256:
                return None
            return Features(*(file[name][()] for name in Features._fields))
    except (OSError, KeyError, ValueError):
        return None
