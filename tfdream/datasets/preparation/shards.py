"""Shards: planning which tracks go into which shard, and writing one shard.

The bytes of a shard do not depend on the process that writes it, or on the order of writing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdream.config import Config, PrepareConfig
from tfdream.datasets import records
from tfdream.datasets.manifest import Shard
from tfdream.datasets.preparation import cutting
from tfdream.datasets.preparation.workers import Workers
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.io.checksums import file_sha256


class PlannedShard(NamedTuple):
    """A shard to be written."""

    number: int
    fold: int
    tracks: list[Track]

    @property
    def name(self) -> str:
        """File name."""
        return f"fold{self.fold}-{self.number:05d}.tfrecord"


class WrittenShard(Config):
    """The result of writing a planned shard."""

    number: int
    shard: Shard | None
    """None if none of its tracks has a clip."""
    skipped: list[tuple[str, str]]
    """Files and reasons."""


class ShardContext(NamedTuple):
    """The settings that all shards of a dataset share."""

    folder: Path
    labels: list[str]
    config: PrepareConfig


def plan(tracks: Sequence[Track], config: PrepareConfig, workers: Workers) -> list[PlannedShard]:
    """Distribute tracks over shards of one fold each, with about `config.shard_clips` clips.

    Tracks are shuffled, so that every shard has a mixture of labels, and are not split. The number
    of clips of a track is estimated from its header.

    Args:
      tracks: tracks with folds.
      config: clip length and shard size.
      workers: the processes that read the headers.

    Returns:
      The shards, sorted by fold.
    """
    shuffled = np.random.default_rng(config.seed).permutation(len(tracks))
    ordered = sorted((tracks[index] for index in shuffled), key=lambda track: track.fold or 0)
    expected = np.array(list(cutting.count_all(ordered, config, workers)))
    folds = np.array([track.fold or 0 for track in ordered])
    planned: list[PlannedShard] = []
    for fold in np.unique(folds):
        (indices,) = np.nonzero(folds == fold)
        for part in _split(expected[indices], config.shard_clips):
            members = [ordered[index] for index in indices[part]]
            planned.append(PlannedShard(len(planned), int(fold), members))
    return planned


def write(
    planned: PlannedShard,
    results: Iterable[tuple[Track, list[bytes] | Skipped]],
    context: ShardContext,
) -> WrittenShard:
    """Write one shard completely or not at all.

    Args:
      planned: the shard.
      results: its tracks with their clips, or the reason why they have none; see
        `cutting.cut_all`.
      context: folder, labels and settings of the dataset.

    Raises:
      DatasetError: if the disk is full.
    """
    skipped: list[tuple[str, str]] = []
    clips_of: Counter[str] = Counter()
    label_of: dict[str, int] = {}

    def clips() -> Iterator[tuple[str, int, bytes]]:
        for track, result in results:
            if isinstance(result, Skipped):
                skipped.append((result.path, result.reason))
                continue
            label = context.labels.index(track.label)
            for encoded in result:
                clips_of[track.name] += 1
                label_of[track.name] = label
                yield track.name, label, encoded

    path = context.folder / planned.name
    records.write(path, clips())
    if not clips_of:
        path.unlink()
        return WrittenShard(number=planned.number, shard=None, skipped=skipped)
    shard = Shard(
        name=planned.name,
        fold=planned.fold,
        clips=clips_of.total(),
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
        tracks=dict(clips_of),
        track_labels=list(label_of.values()),
    )
    return WrittenShard(number=planned.number, shard=shard, skipped=skipped)


def _split(expected: NDArray[Any], shard_clips: int) -> list[NDArray[np.intp]]:
    """Split the tracks of a fold into shards.

    Args:
      expected: int `[tracks]`, the expected number of clips of each track.
      shard_clips: the target number of clips of a shard.

    Returns:
      The indices of each shard's tracks.
    """
    total = max(1, expected.sum())
    count = max(1, round(total / shard_clips))
    # With the clips of all tracks laid end to end, a track belongs to the shard of its middle.
    middles = np.cumsum(expected) - expected / 2
    numbers = np.minimum(middles * count // total, count - 1)
    parts = np.split(np.arange(len(expected)), np.nonzero(np.diff(numbers))[0] + 1)
    return [part for part in parts if len(part)]
