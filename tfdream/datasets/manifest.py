"""The manifest of a dataset folder: ``dataset.json`` lists its labels, folds and shards."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from tfdream.config import Config, PrepareConfig, validate
from tfdream.datasets import track_names
from tfdream.datasets.codecs import check_codec
from tfdream.errors import ConfigError, DatasetError
from tfdream.io import documents
from tfdream.io.atomic import check_format
from tfdream.io.checksums import file_sha256

MANIFEST = "dataset.json"
FORMAT = 3
_REMEDY = "run tfdream prepare --force again"
_RECORD_BYTES = 16
"""Bytes of a TFRecord without its content: length and two checksums."""


class Shard(Config):
    """One TFRecord file: complete tracks of one fold."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    """File name in the dataset's folder; the pattern excludes other folders."""
    fold: int
    clips: int
    bytes: int
    sha256: str
    tracks: dict[str, int]
    """Clips per track, in the order of the records."""
    track_labels: list[int]
    """Label index of each track, in the same order."""

    @model_validator(mode="after")
    def _check_counts(self) -> "Shard":
        if min(self.tracks.values(), default=1) < 1:
            raise ValueError("every track needs at least one clip")
        if self.clips * _RECORD_BYTES > self.bytes:
            raise ValueError(f"clips={self.clips} do not fit into {self.bytes} bytes")
        if sum(self.tracks.values()) != self.clips:
            raise ValueError(f"clips={self.clips} is not the sum over its tracks")
        if len(self.track_labels) != len(self.tracks):
            raise ValueError(
                f"track_labels has {len(self.track_labels)} entries for {len(self.tracks)} tracks"
            )
        return self

    @property
    def clip_labels(self) -> NDArray[np.int64]:
        """Label index of each clip, int64 `[clips]`, in the order of the records."""
        return np.repeat(np.array(self.track_labels, np.int64), list(self.tracks.values()))


class Dataset(Config):
    """An opened dataset: its folder and the content of ``dataset.json``.

    Shards are sorted by fold. Labels are sorted alphabetically, which is the order of a
    classifier's outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Annotated[Path, Field(exclude=True)]
    """Location of the dataset; not part of ``dataset.json``."""
    format: int = FORMAT
    fingerprint: str
    """Digest of the settings and the source; equal for equal shards."""
    config: PrepareConfig
    labels: list[str]
    clips_per_label: dict[str, int]
    shards: list[Shard]
    skipped: list[tuple[str, str]]

    @model_validator(mode="after")
    def _check_labels(self) -> "Dataset":
        for shard in self.shards:
            for label in shard.track_labels:
                if not 0 <= label < len(self.labels):
                    raise ValueError(f"label {label} of shard '{shard.name}' has no name")
        return self

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.resolve().name

    @property
    def clips(self) -> int:
        """Number of clips in all folds."""
        return count_clips(self.shards)

    @property
    def tracks(self) -> int:
        """Number of tracks with at least one clip."""
        return sum(len(shard.tracks) for shard in self.shards)

    @property
    def folds(self) -> list[int]:
        """The folds that contain clips, ascending."""
        return sorted({shard.fold for shard in self.shards})

    def fold_shards(self, folds: Iterable[int]) -> list[Shard]:
        """Return the shards of some folds.

        Raises:
          DatasetError: if a fold is not in this dataset.
        """
        requested = set(folds)
        missing = requested - set(self.folds)
        if missing:
            raise DatasetError(f"fold {min(missing)} is not in the dataset (folds: {self.folds})")
        return [shard for shard in self.shards if shard.fold in requested]

    def track_digests(self, folds: Iterable[int]) -> list[str]:
        """Return the digests of the tracks of some folds, sorted; see `track_names`.

        They identify recordings in another dataset of the same source.
        """
        tracks = self._labels_and_names(folds)
        return sorted(set().union(*(track_names.digests(*track) for track in tracks)))

    def tracks_among(self, digests: Iterable[str], fold: int) -> list[str]:
        """Return the names of the tracks of a fold whose digests are among others."""
        others = frozenset(digests)
        return [
            name
            for label, name in self._labels_and_names([fold])
            if track_names.is_among(label, name, others)
        ]

    def _labels_and_names(self, folds: Iterable[int]) -> Iterator[tuple[str, str]]:
        """Yield the label and the name of each track of some folds."""
        for shard in self.fold_shards(folds):
            for track, label in zip(shard.tracks, shard.track_labels, strict=True):
                yield self.labels[label], track

    def counts_per_fold(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count the clips and the tracks of each label in each fold.

        Returns:
          Clips and tracks, int64 `[folds, labels]` each.
        """
        clips = np.zeros((len(self.folds), len(self.labels)), np.int64)
        tracks = np.zeros_like(clips)
        for shard in self.shards:
            row = self.folds.index(shard.fold)
            np.add.at(clips[row], shard.track_labels, list(shard.tracks.values()))
            np.add.at(tracks[row], shard.track_labels, 1)
        return clips, tracks


def count_clips(shards: Iterable[Shard]) -> int:
    """Return the number of clips in some shards."""
    return sum(shard.clips for shard in shards)


def check_is_dataset(folder: str | Path) -> None:
    """Check that a folder contains a manifest, without reading it.

    Raises:
      DatasetError: if it does not.
    """
    if not (Path(folder) / MANIFEST).exists():
        raise _no_dataset(folder)


def _no_dataset(folder: str | Path) -> DatasetError:
    return DatasetError(
        f"'{folder}' is not a finished dataset (no {MANIFEST}); run tfdream prepare first"
    )


def load(folder: str | Path) -> Dataset:
    """Open a dataset: read its manifest and check that its shards exist and have the right size.

    Raises:
      DatasetError: if the manifest is missing, damaged or of another format, a shard is missing, or
        the clips' codec cannot be decoded by this installation.
    """
    folder = Path(folder)
    try:
        content = documents.read_json(folder / MANIFEST)
    except FileNotFoundError:
        raise _no_dataset(folder) from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"'{folder / MANIFEST}' cannot be read: {error}") from None
    check_format(content, FORMAT, folder, DatasetError)
    if not isinstance(content, dict):
        raise DatasetError(f"'{folder / MANIFEST}' is not a description of a dataset; {_REMEDY}")
    try:
        dataset = validate({**content, "folder": folder}, Dataset, f"'{folder / MANIFEST}'")
    except ConfigError as error:
        raise DatasetError(f"{error}; {_REMEDY}") from None
    check_codec(dataset.config)
    for shard in dataset.shards:
        path = folder / shard.name
        size = path.stat().st_size if path.is_file() else None
        if size != shard.bytes:
            state = "is missing" if size is None else f"has {size} bytes instead of {shard.bytes}"
            raise DatasetError(shard_message(dataset, shard, state))
    return dataset


def check(folder: str | Path) -> dict[str, Any]:
    """Compare every byte of a dataset with the checksums that `prepare` wrote.

    Returns:
      The JSON object of the command: dataset, shards, clips, bytes.

    Raises:
      DatasetError: naming every damaged shard.
    """
    dataset = load(folder)
    damage = [f"'{shard.name}' {problem}" for shard, problem in damaged_shards(dataset)]
    if damage:
        raise DatasetError(
            f"'{folder}' has {len(damage)} damaged shards of {len(dataset.shards)}: "
            f"{', '.join(damage)}; {_REMEDY}"
        )
    return {
        "dataset": str(folder),
        "shards": len(dataset.shards),
        "clips": dataset.clips,
        "bytes": sum(shard.bytes for shard in dataset.shards),
    }


def damaged_shards(dataset: Dataset) -> Iterator[tuple[Shard, str]]:
    """Yield every shard that differs from its manifest entry, with the difference.

    Every byte is read.
    """
    for shard in dataset.shards:
        path = dataset.folder / shard.name
        if not path.is_file():
            yield shard, "is missing"
        elif path.stat().st_size != shard.bytes:
            yield shard, f"has {path.stat().st_size} bytes instead of {shard.bytes}"
        elif file_sha256(path) != shard.sha256:
            yield shard, "has another checksum than prepare wrote"


def shard_message(dataset: Dataset, shard: Shard, problem: str) -> str:
    """Return the message of an error: the shard, its problem, and what to do."""
    return f"shard '{dataset.folder / shard.name}' {problem}; {_REMEDY}"
