"""Judging a classifier: on a dataset's held-out clips, or on any audio file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from sklearn.metrics import confusion_matrix

from tfdream import audio
from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline, window_starts
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset, report_corrupt_shards
from tfdream.datasets.preparation import cutting
from tfdream.errors import AudioError, DatasetError
from tfdream.evaluation.scores import intervals, per_class
from tfdream.runs import Run

_BATCH_SIZE = 16


class Predictions(NamedTuple):
    """What a network said of every clip."""

    probabilities: np.ndarray
    """float32 `[clips, classes]`."""
    labels: np.ndarray
    """int `[clips]`: the truth."""
    tracks: np.ndarray
    """str `[clips]`: which track each clip is from."""


def evaluate(run: Run, dataset_folder: Path, folds: Iterable[int] | None = None) -> dict[str, Any]:
    """Compare a network with the truth.

    Args:
      run: of the network.
      dataset_folder: with the run's labels, sample rate and clip length.
      folds: to look at; by default the one that the run held out, or all folds of a dataset that
        the run was not trained on.

    Returns:
      The JSON object of the command: clip_accuracy and track_accuracy (the label of a track is that
      of the mean of its clips' probabilities) and their 95 % intervals (see `scores.intervals`),
      macro_f1 over clips, majority_share (the accuracy of always saying the commonest label),
      confusion over clips (rows are the truth), per_class (label, precision, recall, f1, clips),
      per_track (path, label, predicted, its probability, clips, clips_right), clips, tracks, folds.

    Raises:
      DatasetError: if the dataset does not fit the run, or is damaged.
    """
    dataset = manifest.load(dataset_folder)
    _check_fits(run, dataset)
    if folds is None:
        folds = _held_out(run, dataset)
    chosen = sorted(set(folds))
    with report_corrupt_shards([dataset]):
        found = predict_dataset(run, dataset, chosen)
    return {**score(found, run.labels), "folds": chosen}


def score(found: Predictions, labels: list[str]) -> dict[str, Any]:
    """Compare predictions with the truth; see `evaluate` for what it returns."""
    guessed = found.probabilities.argmax(axis=1)
    confusion = confusion_matrix(found.labels, guessed, labels=list(range(len(labels))))
    classes = per_class(labels, confusion)
    tracks = _per_track(found, labels)
    return {
        "labels": labels,
        "clip_accuracy": float(np.mean(guessed == found.labels)),
        "track_accuracy": float(np.mean([row["predicted"] == row["label"] for row in tracks])),
        **intervals(tracks),
        "macro_f1": float(np.mean([row["f1"] for row in classes])),
        "majority_share": float(np.bincount(found.labels).max() / len(found.labels)),
        "confusion": confusion.tolist(),
        "clips": len(found.labels),
        "tracks": len(tracks),
        "per_class": classes,
        "per_track": tracks,
    }


def predict_dataset(run: Run, dataset: Dataset, folds: list[int]) -> Predictions:
    """The network's probabilities for every clip of some folds."""
    pipeline = LabeledPipeline(run.config, run.frontend)
    batches = pipeline.evaluation(ClipSet.from_folds(dataset, folds), _BATCH_SIZE)
    windows = len(window_starts(run.config))
    model = run.model  # loaded out here: inside the graph, loading would only be recorded
    classify = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    probabilities, labels, tracks = [], [], []
    for inputs, clip in batches:
        of_windows = classify(inputs).numpy()
        probabilities.append(of_windows.reshape(-1, windows, len(run.labels)).mean(axis=1))
        labels.append(clip["label"].numpy())
        tracks.append(clip["track"].numpy().astype(str))
    return Predictions(
        np.concatenate(probabilities), np.concatenate(labels), np.concatenate(tracks)
    )


def predict(run: Run, paths: list[Path]) -> dict[str, Any]:
    """Classify audio files of any length, rate and number of channels.

    A file's probabilities are the mean over its clips, weighted by how much of a clip is filled.

    Returns:
      The JSON object of the command: `files`, each with path, label, probabilities and seconds, or
      with path and error where the file cannot be read.

    Raises:
      AudioError: if none of them can be read.
    """
    judge = Judge(run)
    files: list[dict[str, Any]] = []
    for path in paths:
        try:
            files.append({"path": str(path), **judge.hear(path)._asdict()})
        except AudioError as error:
            files.append({"path": str(path), "error": str(error)})
    if not any("label" in file for file in files):
        raise AudioError(files[0]["error"])
    return {"files": files}


class Heard(NamedTuple):
    """What a network said of a recording."""

    label: str
    probabilities: dict[str, float]
    seconds: float


class Judge:
    """A classifier that hears recordings of any length; compiled once for all of them.

    Args:
      run: of its network.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        model, frontend = run.model, run.frontend
        self._classify = tf.function(
            lambda waveform: model(frontend(waveform), training=False), reduce_retracing=True
        )

    def __call__(self, mono: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
        """Hear a recording.

        Args:
          mono: its blocks float32 `[samples, 1]`, at the run's sample rate.

        Returns:
          The mean of the probabilities of its clips, `[classes]`, weighted by how much of a clip is
          filled (zeros if there is none), and the number of its samples.
        """
        total = np.zeros(len(self.run.labels))
        samples = 0
        for batch, weights in clip_batches(mono, self.run):
            heard = self._classify(tf.constant(batch)).numpy()
            total += (heard * weights[:, None]).sum(axis=0)
            samples += int(weights.sum())
        return total / max(total.sum(), np.finfo(float).tiny), samples

    def hear(self, path: Path) -> Heard:
        """Hear an audio file of any length, rate and number of channels.

        Raises:
          AudioError: if it cannot be read, or holds nothing at the run's rate.
        """
        rate, labels = self.run.sample_rate, self.run.labels
        with audio.Reader(path) as reader:
            share, samples = self(reader.mid(rate))
        if not samples:  # a click at a high rate may be resampled to nothing
            raise AudioError(f"'{path}' is shorter than a sample at {rate} Hz; leave it out")
        probabilities = dict(zip(labels, share.tolist(), strict=True))
        return Heard(labels[int(share.argmax())], probabilities, samples / rate)


def clip_batches(mono: Iterable[np.ndarray], run: Run) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut a recording into what a network hears at a time.

    Args:
      mono: its blocks float32 `[samples, 1]`, at the run's sample rate.
      run: of the network.

    Yields:
      Clips float32 `[batch, samples]`, the last one filled up as in training, and how many samples
      of each are the recording's.
    """
    pieces: list[np.ndarray] = []
    for piece in audio.rechunk(mono, run.clip_samples):
        pieces.append(piece[:, 0] * np.float32(run.config.prepare.gain))
        if len(pieces) == _BATCH_SIZE:
            yield _batch(pieces, run)
            pieces = []
    if pieces:
        yield _batch(pieces, run)


def _per_track(found: Predictions, labels: list[str]) -> list[dict[str, Any]]:
    """A row for each track: its label is that of the mean of its clips' probabilities."""
    names, first, track_of_clip, clips_of_track = np.unique(
        found.tracks, return_index=True, return_inverse=True, return_counts=True
    )
    mean = np.zeros((len(names), len(labels)))
    np.add.at(mean, track_of_clip, found.probabilities)
    mean /= clips_of_track[:, None]
    clip_is_right = found.probabilities.argmax(axis=1) == found.labels
    right = np.bincount(track_of_clip, weights=clip_is_right, minlength=len(names))
    return [
        {
            "path": str(name),
            "label": labels[found.labels[first[row]]],
            "predicted": labels[int(mean[row].argmax())],
            "probability": float(mean[row].max()),
            "clips": int(clips_of_track[row]),
            "clips_right": int(right[row]),
        }
        for row, name in enumerate(names)
    ]


def _batch(pieces: list[np.ndarray], run: Run) -> tuple[np.ndarray, np.ndarray]:
    how = run.config.prepare.tail
    filled = [cutting.fill(piece, run.clip_samples, how) for piece in pieces]
    return np.stack(filled), np.array([len(piece) for piece in pieces], float)


def _check_fits(run: Run, dataset: Dataset) -> None:
    wanted, found = run.config.prepare, dataset.config
    if (wanted.sample_rate, wanted.clip_samples) != (found.sample_rate, found.clip_samples):
        raise DatasetError(
            f"'{dataset.folder}' has clips of {found.clip_seconds:g} s at {found.sample_rate} Hz, the run "
            f"wants {wanted.clip_seconds:g} s at {wanted.sample_rate} Hz"
        )
    if dataset.labels != run.labels:
        raise DatasetError(
            f"'{dataset.folder}' has the labels {', '.join(dataset.labels)}, the run knows "
            f"{', '.join(run.labels)}; evaluate on a dataset of the same labels"
        )


def _held_out(run: Run, dataset: Dataset) -> list[int]:
    if dataset.fingerprint != run.info.dataset_fingerprint:
        return dataset.folds
    if run.info.test_fold is None:
        raise DatasetError(
            "the run was trained on every fold of this dataset, so nothing is held out; "
            "train with --test-fold K, or say --fold K to look at what it was trained on"
        )
    return [run.info.test_fold]
