"""Scores from what folds can be pooled by: the confusion matrix, and the rows of judged tracks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

_RESAMPLES = 2000
_CONFIDENCE_PERCENT = 95


def per_class(labels: Sequence[str], confusion: np.ndarray) -> list[dict[str, Any]]:
    """Precision, recall, F1 and the number of clips of each label; what is undefined counts as 0.

    Args:
      labels: in the order of the matrix.
      confusion: clips `[truth, predicted]`.
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


def intervals(per_track: Sequence[dict[str, Any]], seed: int = 0) -> dict[str, list[float]]:
    """95 % confidence intervals of the clips' and of the tracks' accuracy.

    The clips of a track are right or wrong together, so they are far fewer independent trials than
    their number: an interval from the number of clips would be too narrow. Here whole tracks are
    drawn with replacement (a cluster bootstrap), and the interval is that of the percentiles.

    It says how much the accuracy depends on which tracks were held out, not on the training's
    seed. With few tracks it is a rough guess, and where all are right it is a point. Tracks of one
    artist count as independent here: a dataset does not say whose they are.

    Args:
      per_track: rows with clips, clips_right, label and predicted.
      seed: of the draws.

    Returns:
      clip_accuracy_interval and track_accuracy_interval, each the lower and the upper end.
    """
    judged = [
        (row["clips_right"], row["clips"], row["predicted"] == row["label"]) for row in per_track
    ]
    # Tracks that are alike in this are drawn as one kind: the same draw, in a fraction of the time.
    kinds, counts = np.unique(np.array(judged, np.int64), axis=0, return_counts=True)
    tracks = counts.sum()
    draws = np.random.default_rng(seed).multinomial(tracks, counts / tracks, size=_RESAMPLES)
    clips_right, clips, tracks_right = (draws @ kinds).T
    tail = (100 - _CONFIDENCE_PERCENT) / 2
    ends = [tail, 100 - tail]
    return {
        "clip_accuracy_interval": np.percentile(clips_right / clips, ends).tolist(),
        "track_accuracy_interval": np.percentile(tracks_right / tracks, ends).tolist(),
    }
