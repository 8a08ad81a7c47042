"""Evaluation of a classifier on a dataset."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.read_errors import report_damaged_shards
from tfdream.datasets.views import window_starts
from tfdream.errors import DatasetError
from tfdream.evaluation import adaptation
from tfdream.evaluation.measures.levels import FloatArray
from tfdream.evaluation.scores import intervals, macro_f1, per_class
from tfdream.runs import Run

logger = logging.getLogger(__name__)

_BATCH_SIZE = 16


class Predictions(NamedTuple):
    """The outputs of a classifier for the clips of a dataset.

    Attributes:
      probabilities: float32 `[clips, classes]`.
      labels: the truth, int `[clips]`: indices of the run's labels.
      tracks: the track that each clip is from, str `[clips]`.
    """

    probabilities: FloatArray
    labels: NDArray[np.integer[Any]]
    tracks: NDArray[np.str_]


def evaluate(
    run: Run,
    dataset_folder: str | Path,
    folds: Iterable[int] | None = None,
    adapt: bool = False,
) -> dict[str, Any]:
    """Evaluate a classifier on a dataset.

    Args:
      run: run of the classifier.
      dataset_folder: a dataset with the run's sample rate and clip length, and labels of the run,
        all or some of them.
      folds: folds to evaluate on; by default the one that the run held out. Of another dataset,
        they are the folds without tracks that the run was trained on, by name and label; if there
        are none, all folds are evaluated, and a warning is logged.
      adapt: whether the network is adapted to the clips of these folds first, without their labels;
        see `adaptation.adapted`.

    Returns:
      The JSON object of the command: clip_accuracy and track_accuracy (the label of a track is the
      maximum of the mean of its clips' probabilities) and their 95 % intervals (see
      `scores.intervals`), macro_f1 over clips (see `scores.macro_f1`), majority_share (the accuracy
      of always predicting the most frequent label), confusion over clips (rows are the truth),
      per_class (label, precision, recall, f1, clips), per_track (path, label, predicted, its
      probability, clips, clips_right), clips, tracks, folds.

    Raises:
      DatasetError: if the dataset does not fit the run, or is damaged.
      ModelError: if `adapt` is set and the network has no batch normalization.
    """
    dataset = manifest.load(dataset_folder)
    _check_fits(run, dataset)
    if folds is None:
        folds = _held_out_folds(run, dataset)
    chosen = sorted(set(folds))
    with report_damaged_shards([dataset]):
        if adapt:
            run = adaptation.adapted(run, _sample(run, dataset, chosen))
        predictions = predict_dataset(run, dataset, chosen)
    return {**score(predictions, run.labels), "folds": chosen}


def score(predictions: Predictions, labels: list[str]) -> dict[str, Any]:
    """Compute the scores of predictions; `evaluate` describes them."""
    truth = predictions.labels
    predicted = predictions.probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, predicted, labels=list(range(len(labels))))
    tracks = _per_track(predictions, labels)
    return {
        "labels": labels,
        "clip_accuracy": float(np.mean(predicted == truth)),
        "track_accuracy": float(np.mean([row["predicted"] == row["label"] for row in tracks])),
        **intervals(tracks),
        "macro_f1": macro_f1(confusion),
        "majority_share": float(np.bincount(truth).max() / len(truth)),
        "confusion": confusion.tolist(),
        "clips": len(truth),
        "tracks": len(tracks),
        "per_class": per_class(labels, confusion),
        "per_track": tracks,
    }


def predict_dataset(run: Run, dataset: Dataset, folds: list[int]) -> Predictions:
    """Compute the classifier's probabilities for every clip of some folds."""
    pipeline = LabeledPipeline(run.config, run.frontend)
    speeds = run.config.test_speeds
    batches = pipeline.evaluation(ClipSet.from_folds(dataset, folds), _BATCH_SIZE, speeds=speeds)
    views = len(window_starts(run.config)) * len(speeds)
    # Labels of a dataset are sorted, those of a preset need not be.
    index_in_run = np.array([run.labels.index(label) for label in dataset.labels])
    probabilities, labels, tracks = [], [], []
    for inputs, clip in batches:
        per_view = run.classify(inputs).numpy()
        probabilities.append(per_view.reshape(-1, views, len(run.labels)).mean(axis=1))
        labels.append(index_in_run[clip["label"].numpy()])
        tracks.append(np.char.decode(clip["track"].numpy().astype(bytes), "utf-8"))
    return Predictions(
        np.concatenate(probabilities), np.concatenate(labels), np.concatenate(tracks)
    )


def _sample(run: Run, dataset: Dataset, folds: list[int]) -> FloatArray:
    """Return the network's inputs `[clips, …]` for clips that are spread over some folds."""
    pipeline = LabeledPipeline(run.config, run.frontend)
    batches = pipeline.sample(ClipSet.from_folds(dataset, folds), adaptation.MOST_CLIPS)
    return np.concatenate([inputs.numpy() for inputs in batches])


def _per_track(predictions: Predictions, labels: list[str]) -> list[dict[str, Any]]:
    """Return a row for each track; its prediction is the maximum of the clips' mean."""
    names, first, track_of_clip, clips_of_track = np.unique(
        predictions.tracks, return_index=True, return_inverse=True, return_counts=True
    )
    mean = np.zeros((len(names), len(labels)))
    np.add.at(mean, track_of_clip, predictions.probabilities)
    mean /= clips_of_track[:, None]
    clip_is_right = predictions.probabilities.argmax(axis=1) == predictions.labels
    right = np.bincount(track_of_clip, weights=clip_is_right, minlength=len(names))
    return [
        {
            "path": str(name),
            "label": labels[predictions.labels[first[row]]],
            "predicted": labels[int(mean[row].argmax())],
            "probability": float(mean[row].max()),
            "clips": int(clips_of_track[row]),
            "clips_right": int(right[row]),
        }
        for row, name in enumerate(names)
    ]


def _check_fits(run: Run, dataset: Dataset) -> None:
    needed, given = run.config.prepare, dataset.config
    if (needed.sample_rate, needed.clip_samples) != (given.sample_rate, given.clip_samples):
        raise DatasetError(
            f"'{dataset.folder}' has clips of {given.clip_seconds:g} s at {given.sample_rate} Hz, "
            f"the run needs {needed.clip_seconds:g} s at {needed.sample_rate} Hz; prepare another "
            "dataset with the run's settings"
        )
    unknown = [label for label in dataset.labels if label not in run.labels]
    if unknown:
        raise DatasetError(
            f"'{dataset.folder}' has the labels {', '.join(unknown)}, which the run lacks; it has "
            f"{', '.join(run.labels)}: select labels with tfdream prepare --labels"
        )


def _held_out_folds(run: Run, dataset: Dataset) -> list[int]:
    if dataset.fingerprint == run.info.dataset_fingerprint:
        if run.info.test_fold is None:
            raise DatasetError(
                "the run was trained on every fold of this dataset, so nothing is held out; "
                "train with --test-fold K, or evaluate on a fold of the training data with --fold K"
            )
        return [run.info.test_fold]
    trained = run.info.trained_tracks
    seen = {fold: dataset.tracks_among(trained, fold) for fold in dataset.folds}
    held_out = [fold for fold, tracks in seen.items() if not tracks]
    if not held_out:
        logger.warning(
            "every fold of '%s' has tracks with names and labels of the run's training data (%d of "
            "%d); if they are the same recordings, the accuracies are too high",
            *(dataset.folder, sum(map(len, seen.values())), dataset.tracks),
        )
    return held_out or dataset.folds
