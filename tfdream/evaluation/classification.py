"""Evaluation of a classifier on a dataset, and classification of audio files."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from tfdream import audio
from tfdream.audio.notes import Examination
from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline, window_starts
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.preparation import cutting
from tfdream.datasets.read_errors import report_damaged_shards
from tfdream.errors import AudioError, DatasetError
from tfdream.evaluation.measures.levels import FloatArray
from tfdream.evaluation.scores import intervals, per_class
from tfdream.io.duplicates import identical_files
from tfdream.models.parts.outputs import is_multi_label
from tfdream.runs import Run
from tfdream.signal.graphs import compiled

logger = logging.getLogger(__name__)

UNKNOWN = "unknown"
"""The label of a file whose classification is rejected; see `predict`."""
_BATCH_SIZE = 16


class Predictions(NamedTuple):
    """The outputs of a classifier for the clips of a dataset.

    Attributes:
      probabilities: float32 `[clips, classes]`.
      labels: the truth, int `[clips]`.
      tracks: the track that each clip is from, str `[clips]`.
    """

    probabilities: FloatArray
    labels: NDArray[np.integer[Any]]
    tracks: NDArray[np.str_]


def evaluate(
    run: Run, dataset_folder: str | Path, folds: Iterable[int] | None = None
) -> dict[str, Any]:
    """Evaluate a classifier on a dataset.

    Args:
      run: run of the classifier.
      dataset_folder: a dataset with the run's labels, sample rate and clip length.
      folds: folds to evaluate on; by default the one that the run held out. Of another dataset,
        they are the folds without tracks that the run was trained on, by name and label; if there
        are none, all folds are evaluated, and a warning is logged.

    Returns:
      The JSON object of the command: clip_accuracy and track_accuracy (the label of a track is the
      maximum of the mean of its clips' probabilities) and their 95 % intervals (see
      `scores.intervals`), macro_f1 over clips, majority_share (the accuracy of always predicting
      the most frequent label), confusion over clips (rows are the truth), per_class (label,
      precision, recall, f1, clips), per_track (path, label, predicted, its probability, clips,
      clips_right), clips, tracks, folds.

    Raises:
      DatasetError: if the dataset does not fit the run, or is damaged.
    """
    dataset = manifest.load(dataset_folder)
    _check_fits(run, dataset)
    if folds is None:
        folds = _held_out_folds(run, dataset)
    chosen = sorted(set(folds))
    with report_damaged_shards([dataset]):
        predictions = predict_dataset(run, dataset, chosen)
    return {**score(predictions, run.labels), "folds": chosen}


def score(predictions: Predictions, labels: list[str]) -> dict[str, Any]:
    """Compute the scores of predictions; `evaluate` describes them."""
    truth = predictions.labels
    predicted = predictions.probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, predicted, labels=list(range(len(labels))))
    classes = per_class(labels, confusion)
    tracks = _per_track(predictions, labels)
    return {
        "labels": labels,
        "clip_accuracy": float(np.mean(predicted == truth)),
        "track_accuracy": float(np.mean([row["predicted"] == row["label"] for row in tracks])),
        **intervals(tracks),
        "macro_f1": float(np.mean([row["f1"] for row in classes])),
        "majority_share": float(np.bincount(truth).max() / len(truth)),
        "confusion": confusion.tolist(),
        "clips": len(truth),
        "tracks": len(tracks),
        "per_class": classes,
        "per_track": tracks,
    }


def predict_dataset(run: Run, dataset: Dataset, folds: list[int]) -> Predictions:
    """Compute the classifier's probabilities for every clip of some folds."""
    pipeline = LabeledPipeline(run.config, run.frontend)
    batches = pipeline.evaluation(ClipSet.from_folds(dataset, folds), _BATCH_SIZE)
    windows = len(window_starts(run.config))
    probabilities, labels, tracks = [], [], []
    for inputs, clip in batches:
        per_window = run.classify(inputs).numpy()
        probabilities.append(per_window.reshape(-1, windows, len(run.labels)).mean(axis=1))
        labels.append(clip["label"].numpy())
        tracks.append(np.char.decode(clip["track"].numpy().astype(bytes), "utf-8"))
    return Predictions(
        np.concatenate(probabilities), np.concatenate(labels), np.concatenate(tracks)
    )


def predict(
    run: Run, paths: Sequence[str | Path], unknown_below: float | None = None
) -> dict[str, Any]:
    """Classify audio files of any length, sample rate and number of channels.

    The probabilities of a file are the mean over its clips, weighted by their length before
    padding.

    Args:
      run: run of the classifier.
      paths: audio files.
      unknown_below: the label of a file is `UNKNOWN` if it is silent, or if its largest probability
        is below this one.

    Returns:
      The JSON object of the command: `files`, each with path, label, probabilities, seconds and
      notes (properties of the file that make the prediction unreliable, see `audio.notes`, and the
      first of the earlier paths with identical content), or with path and error where the file
      cannot be read.

    Raises:
      AudioError: if no file can be read.
    """
    judge = Judge(run)
    files: list[dict[str, Any]] = []
    original_of = _originals(paths)
    for path in paths:
        try:
            prediction = judge.classify_file(path)
        except AudioError as error:
            files.append({"path": str(path), "error": str(error)})
            continue
        if unknown_below is not None:
            prediction = prediction.reject(unknown_below)
        if Path(path) in original_of:
            prediction.notes.append(f"duplicate of '{original_of[Path(path)]}'")
        files.append({"path": str(path), **prediction.as_json()})
    if not any("label" in file for file in files):
        raise AudioError(files[0]["error"])
    return {"files": files}


class FilePrediction(NamedTuple):
    """The output of a classifier for an audio file.

    Attributes:
      label: the most probable label, or `UNKNOWN`.
      probabilities: the probability of each label.
      seconds: length of the file.
      notes: properties of the file that make the prediction unreliable.
      is_silent: whether the file is silent.
    """

    label: str
    probabilities: dict[str, float]
    seconds: float
    notes: list[str]
    is_silent: bool = False

    def reject(self, threshold: float) -> "FilePrediction":
        """Return the prediction with the label `UNKNOWN` if it is too uncertain.

        >>> prediction = FilePrediction("rock", {"jazz": 0.4, "rock": 0.6}, 1.0, [])
        >>> prediction.reject(0.5).label, prediction.reject(0.7).label
        ('rock', 'unknown')
        """
        if self.is_silent or max(self.probabilities.values()) < threshold:
            return self._replace(label=UNKNOWN)
        return self

    def as_json(self) -> dict[str, Any]:
        """Return label, probabilities, seconds and notes."""
        return {key: value for key, value in self._asdict().items() if key != "is_silent"}


class Judge:
    """Classifies audio of any length; the graph is compiled once.

    Args:
      run: run of the classifier.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        model, frontend = run.model, run.frontend

        def classify(waveform: tf.Tensor) -> tf.Tensor:
            return model(frontend(waveform), training=False)

        self._classify = compiled(classify)

    def __call__(self, mono: Iterable[FloatArray]) -> tuple[FloatArray, int]:
        """Classify mono audio.

        Args:
          mono: blocks float32 `[samples, 1]`, at the run's sample rate.

        Returns:
          The mean of the clips' probabilities `[classes]`, weighted by their length before padding
          (zeros if there are no samples), and the number of samples.
        """
        total = np.zeros(len(self.run.labels))
        samples = 0
        for batch, weights in clip_batches(mono, self.run):
            probabilities = self._classify(tf.constant(batch)).numpy()
            total += (probabilities * weights[:, None]).sum(axis=0)
            samples += int(weights.sum())
        # Rounding aside, the sum of the probabilities is that of the weights, unless independent.
        divisor = samples if is_multi_label(self.run.model) else total.sum()
        return total / max(divisor, np.finfo(float).tiny), samples

    def classify_file(self, path: str | Path) -> FilePrediction:
        """Classify an audio file of any length, sample rate and number of channels.

        Raises:
          AudioError: if it cannot be read, or is shorter than a sample at the run's rate.
        """
        rate, labels = self.run.sample_rate, self.run.labels
        with audio.Reader(path) as reader:
            examination = Examination(reader.info.sample_rate)
            mid = audio.mid(examination.observe(reader.blocks()))
            share, samples = self(audio.resample(mid, reader.info.sample_rate, rate))
            notes = examination.notes(rate, self.run.input_samples / rate, reader.damage)
        if not samples:  # a click at a high rate may be resampled to nothing
            raise AudioError(f"'{path}' is shorter than a sample at {rate} Hz; remove it")
        probabilities = dict(zip(labels, share.tolist(), strict=True))
        return FilePrediction(
            labels[int(share.argmax())],
            probabilities,
            samples / rate,
            notes,
            examination.is_silent,
        )


def clip_batches(mono: Iterable[FloatArray], run: Run) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Cut mono audio into batches of clips.

    Args:
      mono: blocks float32 `[samples, 1]`, at the run's sample rate.
      run: the run whose clip length, gain and padding are used.

    Yields:
      Clips float32 `[batch, samples]`, the last one padded as in training, and the number of
      samples of each clip before padding.
    """
    pieces: list[FloatArray] = []
    for piece in audio.rechunk(mono, run.input_samples):
        pieces.append(piece[:, 0] * np.float32(run.config.prepare.gain))
        if len(pieces) == _BATCH_SIZE:
            yield _batch(pieces, run)
            pieces = []
    if pieces:
        yield _batch(pieces, run)


def _originals(paths: Sequence[str | Path]) -> dict[Path, Path]:
    """Map each file that is identical to an earlier one to that one."""
    return {
        copy: same[0]
        for same in identical_files(dict.fromkeys(map(Path, paths)))
        for copy in same[1:]
    }


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


def _batch(pieces: list[FloatArray], run: Run) -> tuple[FloatArray, FloatArray]:
    tail = run.config.prepare.tail
    filled = [cutting.fill(piece, run.input_samples, tail) for piece in pieces]
    return np.stack(filled), np.array([len(piece) for piece in pieces], float)


def _check_fits(run: Run, dataset: Dataset) -> None:
    needed, given = run.config.prepare, dataset.config
    if (needed.sample_rate, needed.clip_samples) != (given.sample_rate, given.clip_samples):
        raise DatasetError(
            f"'{dataset.folder}' has clips of {given.clip_seconds:g} s at {given.sample_rate} Hz, "
            f"the run needs {needed.clip_seconds:g} s at {needed.sample_rate} Hz; prepare another "
            "dataset with the run's settings"
        )
    if dataset.labels != run.labels:
        raise DatasetError(
            f"'{dataset.folder}' has the labels {', '.join(dataset.labels)}, the run has "
            f"{', '.join(run.labels)}; evaluate on a dataset of the same labels"
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
