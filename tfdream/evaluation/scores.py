"""Scores of a classifier from its confusion matrix and its rows of tracks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000
_CONFIDENCE_PERCENT = 95


def per_class(labels: Sequence[str], confusion: NDArray[np.integer[Any]]) -> list[dict[str, Any]]:
    """Compute precision, recall, F1 and the number of clips of each label; undefined scores are 0.

    Args:
      labels: in the order of the matrix.
      confusion: clips `[truth, predicted]`.

    >>> rock, jazz = per_class(["rock", "jazz"], np.array([[3, 1], [0, 0]]))
    >>> rock["recall"], rock["precision"], jazz["f1"], jazz["clips"]
    (0.75, 1.0, 0.0, 0)
    """
    right = np.diagonal(confusion)
    truth, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        {
            "label": label,
            "precision": float(right[index] / max(predicted[index], 1)),
            "recall": float(right[index] / max(truth[index], 1)),
            "f1": float(2 * right[index] / max(truth[index] + predicted[index], 1)),
            "clips": int(truth[index]),
        }
        for index, label in enumerate(labels)
    ]


def macro_f1(confusion: NDArray[np.integer[Any]]) -> float:
    """Compute the mean F1 of the labels that occur in the truth or the predictions.

    The F1 of other labels, such as one that a fold lacks, is undefined.

    Args:
      confusion: clips `[truth, predicted]`.

    >>> macro_f1(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]]))
    1.0
    """
    right = np.diagonal(confusion)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = total > 0
    return float(np.mean(2 * right[occurs] / total[occurs]))


def intervals(per_track: Sequence[dict[str, Any]], seed: int = 0) -> dict[str, list[float]]:
    """Estimate 95 % confidence intervals of the accuracy of clips and of tracks.

    The predictions for the clips of a track are correlated, so an interval from the number of clips
    would be too narrow. Whole tracks are drawn with replacement instead (a cluster bootstrap), and
    the interval is that of the percentiles.

    The interval expresses the dependence on the choice of the held-out tracks, not on the random
    seed of the training. With few tracks it is a rough estimate, and if all predictions are right,
    its length is 0. Tracks of one artist count as independent, because a dataset does not contain
    the artists.

    Args:
      per_track: rows with clips, clips_right, label and predicted.
      seed: random seed of the draws.

    Returns:
      clip_accuracy_interval and track_accuracy_interval, each the lower and the upper end.
    """
    outcomes = [
        (row["clips_right"], row["clips"], row["predicted"] == row["label"]) for row in per_track
    ]
    # Equal tracks are drawn together as one kind, which saves time.
    kinds, counts = np.unique(np.array(outcomes, np.int64), axis=0, return_counts=True)
    tracks = counts.sum()
    draws = np.random.default_rng(seed).multinomial(tracks, counts / tracks, size=_RESAMPLES)
    clips_right, clips, tracks_right = (draws @ kinds).T
    tail = (100 - _CONFIDENCE_PERCENT) / 2
    ends = [tail, 100 - tail]
    return {
        "clip_accuracy_interval": np.percentile(clips_right / clips, ends).tolist(),
        "track_accuracy_interval": np.percentile(tracks_right / tracks, ends).tolist(),
    }
