"""Shards: which tracks go into which, known before any of them is cut, and how one is written.

Whoever writes a shard, and in whatever order, the bytes are the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream.config import Config, PrepareConfig
from tfdream.datasets.manifest import Shard, write_shard
from tfdream.datasets.preparation import cutting
from tfdream.datasets.sources.tracks import Skipped, Track


class PlannedShard(NamedTuple):
    """One that is to be written."""

    number: int
    fold: int
    tracks: list[Track]

    @property
    def name(self) -> str:
        """Of the file."""
        return f"fold{self.fold}-{self.number:05d}.tfrecord"


class WrittenShard(Config):
    """What became of a planned one."""

    number: int
    shard: Shard | None
    """None if none of its tracks gave a clip."""
    skipped: list[tuple[str, str]]
    """Files and reasons."""


class Order(NamedTuple):
    """What all shards of a dataset have in common."""

    folder: Path
    labels: list[str]
    config: PrepareConfig


def plan(tracks: Sequence[Track], config: PrepareConfig, workers: int) -> list[PlannedShard]:
    """Deal tracks out to shards of one fold each, with about `config.shard_clips` clips.

    Tracks are shuffled, so that every shard holds a mixture of labels, and stay whole. How many
    clips one will give is read in its header.

    Args:
      tracks: with their folds.
      config: clip rules and the size of shards.
      workers: processes that read headers.

    Returns:
      The shards in the order of their folds.
    """
    shuffled = np.random.default_rng(config.seed).permutation(len(tracks))
    ordered = sorted((tracks[number] for number in shuffled), key=lambda track: track.fold or 0)
    expected = np.array(list(cutting.count_all(ordered, config, workers)))
    folds = np.array([track.fold or 0 for track in ordered])
    planned: list[PlannedShard] = []
    for fold in np.unique(folds):
        (places,) = np.nonzero(folds == fold)
        for part in _parts(expected[places], config.shard_clips):
            own = [ordered[place] for place in places[part]]
            planned.append(PlannedShard(len(planned), int(fold), own))
    return planned


def write(
    planned: PlannedShard, cut: Iterable[tuple[Track, list[bytes] | Skipped]], order: Order
) -> WrittenShard:
    """Write one shard, whole or not at all.

    Args:
      planned: which one.
      cut: its tracks and their clips, or why there are none, as of `clips.cut_all`.
      order: what it is part of.
    """
    skipped: list[tuple[str, str]] = []

    def found() -> Iterator[tuple[str, int, bytes]]:
        for track, result in cut:
            if isinstance(result, Skipped):
                skipped.append((result.path, result.reason))
            else:
                label = order.labels.index(track.label)
                yield from ((track.name, label, encoded) for encoded in result)

    shard = write_shard(order.folder, planned.name, planned.fold, found())
    if not shard.clips:
        (order.folder / planned.name).unlink()
    return WrittenShard(
        number=planned.number, shard=shard if shard.clips else None, skipped=skipped
    )


def _parts(expected: np.ndarray, shard_clips: int) -> list[np.ndarray]:
    """The places of each shard's tracks, given the clips that are expected of each track."""
    total = max(1, expected.sum())
    wanted = max(1, round(total / shard_clips))
    # A track belongs where its middle lies when the clips of all are laid end to end.
    middles = np.cumsum(expected) - expected / 2
    numbers = np.minimum(middles * wanted // total, wanted - 1)
    places = np.split(np.arange(len(expected)), np.nonzero(np.diff(numbers))[0] + 1)
    return [part for part in places if len(part)]
