"""Aligned clips: the same score on several instruments, as transfer networks need them.

The label of a clip is its instrument. Tracks with the same file name have the same score, so that
``violin/song1.flac`` and ``flute/song1.flac`` are aligned.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.datasets.clip_set import ClipSet, evenly_spaced
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.sources.tracks import score_of, spanning_folds
from tfdream.errors import DatasetError

_MAX_STYLES = 64
"""Largest number of clips from which the style of a target is drawn."""


class _Clip(NamedTuple):
    """Label index, score, and number in the track of a clip."""

    label: int
    score: str
    position: int


class _Choices(NamedTuple):
    """A list of clips for each clip: ids int64 `[clips, most]`, and their numbers `[clips]`."""

    ids: NDArray[np.int64]
    counts: NDArray[np.int64]

    def draw(self, clips: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draw one of the choices of each clip in the graph, int64 `[batch]`."""
        counts = tf.cast(tf.gather(self.counts, clips), tf.float32)
        place = counts * tf.random.stateless_uniform(tf.shape(clips), seed)
        index = tf.cast(tf.minimum(place, counts - 1), tf.int64)
        drawn: tf.Tensor = tf.gather(tf.constant(self.ids), clips)
        return tf.gather(drawn, index, batch_dims=1)


class AlignedClips:
    """Triples of clips: a content, a style, and the content on the instrument of the style.

    Args:
      clip_set: complete shards.

    Raises:
      DatasetError: if no score has two instruments, of which one plays another score, too.
    """

    def __init__(self, clip_set: ClipSet) -> None:
        self.clip_set = clip_set
        if not len(self.content_ids):
            raise DatasetError(
                f"'{clip_set.dataset.folder}' has no aligned clips; give files of the same name in "
                "the folders of at least two instruments, and two files of each instrument"
            )

    @cached_property
    def content_ids(self) -> NDArray[np.int64]:
        """The clips that have a target, int64 `[contents]`."""
        return np.flatnonzero(self._targets.counts)

    def draw(self, content: tf.Tensor, seeds: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw targets and styles for contents in the graph.

        Args:
          content: clip ids int64 `[batch]`, of `content_ids`.
          seeds: a seed for the targets and one for the styles, integers `[2]` each.

        Returns:
          Clip ids of targets and of styles, int64 `[batch]` each.
        """
        target = self._targets.draw(content, seeds[0])
        return target, self._styles.draw(target, seeds[1])

    @cached_property
    def _clips(self) -> list[_Clip]:
        return [
            _Clip(label, score_of(track), position)
            for shard in self.clip_set.shards
            for (track, count), label in zip(shard.tracks.items(), shard.track_labels, strict=True)
            for position in range(count)
        ]

    @cached_property
    def _styles(self) -> _Choices:
        """Clips of other scores on the same instrument."""
        by_label = defaultdict(list)
        by_score = defaultdict(list)
        for clip_id, (label, score, _) in enumerate(self._clips):
            by_label[label].append(clip_id)
            by_score[label, score].append(clip_id)
        ids_of = {label: np.array(ids) for label, ids in by_label.items()}
        styles = {}
        for (label, score), own in by_score.items():
            others = np.setdiff1d(ids_of[label], own, assume_unique=True)
            styles[label, score] = others[evenly_spaced(len(others), _MAX_STYLES)].tolist()
        return _padded([styles[clip.label, clip.score] for clip in self._clips])

    @cached_property
    def _targets(self) -> _Choices:
        """The same position in the same score on other instruments, which have a style."""
        by_position = defaultdict(list)
        for clip_id, (label, score, position) in enumerate(self._clips):
            if self._styles.counts[clip_id]:
                by_position[score, position].append((clip_id, label))
        return _padded(
            [
                [clip_id for clip_id, other in by_position[score, position] if other != label]
                for label, score, position in self._clips
            ]
        )


def check_scores(dataset: Dataset) -> None:
    """Check that all recordings of a score are in one fold.

    Raises:
      DatasetError: if they are not: held-out scores would be in the training data, too.
    """
    folds = ((score_of(track), shard.fold) for shard in dataset.shards for track in shard.tracks)
    for score, numbers in spanning_folds(folds):
        raise DatasetError(
            f"the score '{score}' of '{dataset.folder}' is in the folds {numbers}, so held-out "
            "scores would be in the training data; prepare it again with a configuration of "
            "task=transfer and prepare.split=tracks, and if a manifest has groups or folds, give "
            "all recordings of a score the same"
        )


def _padded(choices: list[list[int]]) -> _Choices:
    counts = np.array([len(each) for each in choices], np.int64)
    ids = np.zeros((len(choices), max(1, counts.max(initial=0))), np.int64)
    for row, each in zip(ids, choices, strict=True):
        row[: len(each)] = each
    return _Choices(ids, counts)
