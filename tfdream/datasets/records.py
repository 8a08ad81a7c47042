"""The dataset folder: TFRecord shards of clips, and ``dataset.json`` that describes them."""

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
from pydantic import ConfigDict, Field, model_validator

from tfdream.config import BaseTrainingConfig, Config, PrepareConfig, validate
from tfdream.errors import ConfigError, DatasetError
from tfdream.io import documents
from tfdream.io.atomic import check_format, replacing

DESCRIPTION = "dataset.json"
FORMAT = 2
_SCANNED = 64
# Shards read at a time while training: neighbors in a shard belong to the same track.
READ_AT_A_TIME = 16
# Batches that are ready before they are asked for. Left to TensorFlow it may be gigabytes.
AHEAD = 2
PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
"""How pipelines map: what comes out stays in order."""
_REMEDY = "run tfdream prepare --force again"


class Shard(Config):
    """One TFRecord file: whole tracks of one fold."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    """In the dataset's folder, and never outside."""
    fold: int
    clips: int
    bytes: int
    sha256: str
    tracks: dict[str, int]
    """Clips per track, in the order in which they lie there."""
    track_labels: list[int] | None = None
    """The label of each track, by its place among the dataset's; format 1 did not tell."""

    @model_validator(mode="after")
    def _numbers_agree(self) -> "Shard":
        if sum(self.tracks.values()) != self.clips:
            raise ValueError(f"clips={self.clips} is not the sum over its tracks")
        known = len(self.tracks if self.track_labels is None else self.track_labels)
        if known != len(self.tracks):
            raise ValueError(f"track_labels are {known} for {len(self.tracks)} tracks")
        return self


class Dataset(Config):
    """What ``dataset.json`` holds.

    Shards are listed in the order of their folds; labels in alphabetical order, which is the order
    of a model's outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    fingerprint: str
    """Of the settings and the source: the same for the same clips."""
    config: PrepareConfig
    labels: list[str]
    clips_per_label: dict[str, int]
    shards: list[Shard]
    skipped: list[tuple[str, str]]

    @model_validator(mode="after")
    def _labels_are_known(self) -> "Dataset":
        for shard in self.shards:
            for label in shard.track_labels or ():
                if not 0 <= label < len(self.labels):
                    raise ValueError(f"label {label} of shard '{shard.name}' has no name")
        return self

    @property
    def clips(self) -> int:
        """Clips of all folds."""
        return count_clips(self.shards)

    @property
    def tracks(self) -> int:
        """Tracks that gave clips."""
        return sum(len(shard.tracks) for shard in self.shards)

    @property
    def folds(self) -> list[int]:
        """The folds that hold clips."""
        return sorted({shard.fold for shard in self.shards})

    def fold_shards(self, folds: Iterable[int]) -> list[Shard]:
        """The shards of some folds.

        Raises:
          DatasetError: if one of them is not in this dataset.
        """
        wanted = set(folds)
        unknown = wanted - set(self.folds)
        if unknown:
            raise DatasetError(f"fold {min(unknown)} is not in the dataset (folds: {self.folds})")
        return [shard for shard in self.shards if shard.fold in wanted]


def load(folder: Path) -> Dataset:
    """Read a dataset's description and see that its shards are there.

    Raises:
      DatasetError: if it is missing, unfinished, damaged, of a newer format, or its clips cannot be
        decoded here.
    """
    try:
        content = documents.read_json(folder / DESCRIPTION)
    except FileNotFoundError:
        raise DatasetError(
            f"'{folder}' is not a finished dataset (no {DESCRIPTION}); run tfdream prepare first"
        ) from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"'{folder / DESCRIPTION}' cannot be read: {error}") from None
    check_format(content, FORMAT, folder, DatasetError)
    try:
        dataset = validate(content, Dataset, f"'{folder / DESCRIPTION}'")
    except ConfigError as error:
        raise DatasetError(f"{error}; {_REMEDY}") from None
    check_codec(dataset.config)
    for shard in dataset.shards:
        path = folder / shard.name
        size = path.stat().st_size if path.is_file() else None
        if size != shard.bytes:
            state = "is missing" if size is None else f"has {size} bytes instead of {shard.bytes}"
            raise DatasetError(_says(folder, shard, state))
    return dataset


def check(folder: Path) -> dict[str, Any]:
    """Compare every byte of a dataset with what `prepare` wrote.

    Returns:
      The JSON object of the command: dataset, shards, clips, bytes.

    Raises:
      DatasetError: naming every damaged shard.
    """
    dataset = load(folder)
    found = [f"'{shard.name}' {problem}" for shard, problem in damaged(folder, dataset.shards)]
    if found:
        raise DatasetError(
            f"'{folder}' has {len(found)} damaged shards of {len(dataset.shards)}: "
            f"{', '.join(found)}; {_REMEDY}"
        )
    return {
        "dataset": str(folder),
        "shards": len(dataset.shards),
        "clips": dataset.clips,
        "bytes": sum(shard.bytes for shard in dataset.shards),
    }


def damaged(folder: Path, shards: Iterable[Shard]) -> Iterator[tuple[Shard, str]]:
    """The shards that are not as `prepare` wrote them, and what is wrong; reads every byte."""
    for shard in shards:
        path = folder / shard.name
        if not path.is_file():
            yield shard, "is missing"
        elif path.stat().st_size != shard.bytes:
            yield shard, f"has {path.stat().st_size} bytes instead of {shard.bytes}"
        elif _sha256(path) != shard.sha256:
            yield shard, "holds other bytes than prepare wrote"


@contextmanager
def report_corrupt_shards(folders: Mapping[Path, Dataset]) -> Iterator[None]:
    """Tell which shard it is that TensorFlow cannot read.

    Every record carries a checksum, so that damage is noticed where it is read; but TensorFlow
    does not say in which file. What is as large as it should be is only searched for it then.

    Args:
      folders: the datasets that are read inside the block, by their folders.

    Raises:
      DatasetError: naming the damaged shard.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError):
        for folder, dataset in folders.items():
            for shard, problem in damaged(folder, dataset.shards):
                raise DatasetError(_says(folder, shard, problem)) from None
        raise


def _says(folder: Path, shard: Shard, problem: str) -> str:
    return f"shard '{folder / shard.name}' {problem}; {_REMEDY}"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def decodes(codec: str) -> bool:
    """Whether clips of this codec can be decoded here."""
    return codec != "flac" or importlib.util.find_spec("tensorflow_io") is not None


def check_codec(config: PrepareConfig) -> None:
    """See that clips of this codec can be decoded here.

    Raises:
      DatasetError: if that takes a library which is not installed.
    """
    if not decodes(config.codec):
        raise DatasetError(
            "codec=flac is decoded by tensorflow-io, which is not installed; install "
            "'tfdream[flac]', or prepare with --set prepare.codec=pcm16"
        )


def write_shard(
    folder: Path, name: str, fold: int, clips: Iterable[tuple[str, int, bytes]]
) -> Shard:
    """Write one shard, whole or not at all.

    Args:
      folder: of the dataset.
      name: of the file in it.
      fold: that its tracks belong to.
      clips: track name, label index and encoded samples of each clip.

    Raises:
      DatasetError: if the disk is full.
    """
    tracks: Counter[str] = Counter()
    labels: dict[str, int] = {}
    with replacing(folder / name) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for track, label, encoded in clips:
                    writer.write(_serialize(track, label, encoded))
                    tracks[track] += 1
                    labels[track] = label
        except tf.errors.OpError as error:
            raise DatasetError(
                f"shard '{folder / name}' cannot be written ({error.message}); make room and call "
                "again: finished shards are kept"
            ) from None
        digest = _sha256(temporary)
        size = temporary.stat().st_size
    return Shard(
        name=name,
        fold=fold,
        clips=tracks.total(),
        bytes=size,
        sha256=digest,
        tracks=dict(tracks),
        track_labels=list(labels.values()),
    )


def read(
    folder: Path, dataset: Dataset, shards: Iterable[Shard], batch_size: int
) -> tf.data.Dataset:
    """Every clip of some shards once, in their order.

    Returns:
      Batches of ``waveform`` float32 `[batch, samples]`, ``label`` int64 and ``track`` string.
    """
    return (
        serialized(folder, shards)
        .batch(batch_size)
        .map(lambda batch: parse_batch(batch, dataset.config), **PARALLEL)
    )


def count_clips_per_fold(folder: Path, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Count the clips and the tracks of each label in each fold.

    Returns:
      Clips and tracks, int64 `[folds, labels]` each, in the order of `dataset`.
    """
    folds = dataset.folds
    clips = np.zeros((len(folds), len(dataset.labels)), np.int64)
    tracks = np.zeros_like(clips)
    for shard in dataset.shards:
        of_track = track_labels(folder, shard)
        row = folds.index(shard.fold)
        np.add.at(clips[row], of_track, list(shard.tracks.values()))
        np.add.at(tracks[row], of_track, 1)
    return clips, tracks


def track_labels(folder: Path, shard: Shard) -> list[int]:
    """The label of each of a shard's tracks, by its place among the dataset's.

    Only a shard of format 1 has to be read for that.
    """
    if shard.track_labels is not None:
        return shard.track_labels
    wanted = {
        "label": tf.io.FixedLenFeature([], tf.int64),
        "track": tf.io.FixedLenFeature([], tf.string),
    }
    label_of: dict[bytes, int] = {}
    for batch in serialized(folder, [shard]).batch(_SCANNED):
        found = tf.io.parse_example(batch, wanted)
        label_of.update(zip(found["track"].numpy(), found["label"].numpy().tolist(), strict=True))
    return [label_of[track.encode()] for track in shard.tracks]


def serialized(folder: Path, shards: Iterable[Shard]) -> tf.data.Dataset:
    """Every record of some shards once, in their order, as it lies there: string `[]`."""
    return tf.data.TFRecordDataset([str(folder / shard.name) for shard in shards])


def record_reader(folder: Path, shards: Sequence[Shard]) -> Callable[[tf.Tensor], tf.Tensor]:
    """A way to single records, so that nobody has to read all those before.

    Returns:
      In the graph: the number of a clip int64 `[]`, by its place in `serialized` → its record.
    """
    names = np.array([str(folder / shard.name) for shard in shards])
    starts = np.cumsum([0, *(shard.clips for shard in shards)])[:-1]

    def read(number: tf.Tensor) -> tf.Tensor:
        which = tf.searchsorted(starts, [number], side="right")[0] - 1
        # Without a buffer, nothing but the lengths of the records before it is read.
        file = tf.data.TFRecordDataset(tf.gather(names, which), buffer_size=0)
        return file.skip(number - tf.gather(starts, which)).take(1).get_single_element()

    return read


def count_clips(shards: Iterable[Shard]) -> int:
    """Of all shards together."""
    return sum(shard.clips for shard in shards)


def spread(total: int, count: int) -> np.ndarray:
    """As many of `total` places, from the first to the last at even distances; all, if fewer."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(np.int64)


def fit_memory(clips: int, shape: tuple[int, ...], training: BaseTrainingConfig) -> bool:
    """Whether inputs of a shape, one for each clip, may be kept in memory as float16."""
    size = clips * np.prod(shape, dtype=float) * np.dtype(np.float16).itemsize
    return bool(size <= training.memory_gigabytes * 1e9)


def parse_batch(serialized: tf.Tensor, config: PrepareConfig) -> dict[str, tf.Tensor]:
    """Decode a batch of records in the graph; see `read` for what it gives."""
    return tf.map_fn(
        lambda one: parse(one, config),
        serialized,
        fn_output_signature={
            "waveform": tf.TensorSpec([config.clip_samples], tf.float32),
            "label": tf.TensorSpec([], tf.int64),
            "track": tf.TensorSpec([], tf.string),
        },
    )


def parse(serialized: tf.Tensor, config: PrepareConfig) -> dict[str, tf.Tensor]:
    """Decode one record in the graph: ``waveform`` float32 `[samples]`, ``label``, ``track``."""
    features = tf.io.parse_single_example(
        serialized,
        {
            "audio": tf.io.FixedLenFeature([], tf.string),
            "label": tf.io.FixedLenFeature([], tf.int64),
            "track": tf.io.FixedLenFeature([], tf.string),
        },
    )
    pcm = decode(features["audio"], config)
    return {
        "waveform": tf.cast(pcm, tf.float32) / 32768.0,
        "label": features["label"],
        "track": features["track"],
    }


def decode(encoded: tf.Tensor, config: PrepareConfig) -> tf.Tensor:
    """Encoded clip → int16 `[samples]`. The one place that needs tensorflow-io's library."""
    if config.codec == "pcm16":
        pcm = tf.io.decode_raw(encoded, tf.int16)
    else:
        import tensorflow_io as tfio

        pcm = tfio.audio.decode_flac(encoded, shape=[config.clip_samples, 1], dtype=tf.int16)[:, 0]
    return tf.ensure_shape(pcm, [config.clip_samples])


def _serialize(track: str, label: int, encoded: bytes) -> bytes:
    features = {
        "audio": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "track": tf.train.Feature(bytes_list=tf.train.BytesList(value=[track.encode()])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(example.SerializeToString(deterministic=True))
