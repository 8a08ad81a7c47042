"""Classification of audio files of any length."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.audio.notes import Examination
from tfdream.datasets.preparation import cutting
from tfdream.datasets.views import at_speeds
from tfdream.errors import AudioError
from tfdream.evaluation import adaptation
from tfdream.evaluation.measures.levels import FloatArray
from tfdream.io.duplicates import identical_files
from tfdream.models.parts.outputs import is_multi_label
from tfdream.runs import Run
from tfdream.signal.graphs import compiled

UNKNOWN = "unknown"
"""The label of a file whose classification is rejected; see `predict`."""
_BATCH_SIZE = 16


def predict(
    run: Run,
    paths: Sequence[str | Path],
    unknown_below: float | None = None,
    adapt: bool = False,
) -> dict[str, Any]:
    """Classify audio files of any length, sample rate and number of channels.

    The probabilities of a file are the mean over its clips, weighted by their length before
    padding.

    Args:
      run: run of the classifier.
      paths: audio files.
      unknown_below: the label of a file is `UNKNOWN` if it is silent, or if its largest probability
        is below this one.
      adapt: whether the network is adapted to the files first; see `adaptation.adapted`.

    Returns:
      The JSON object of the command: `files`, each with path, label, probabilities, seconds and
      notes (properties of the file that make the prediction unreliable, see `audio.notes`, and the
      first of the earlier paths with identical content), or with path and error where the file
      cannot be read.

    Raises:
      AudioError: if no file can be read.
      ModelError: if `adapt` is set and the network has no batch normalization.
    """
    if adapt:
        run = adaptation.adapted(run, _sample(run, paths))
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
        original_of.setdefault(Path(path), Path(path))  # if it is given again
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
        speeds = run.config.test_speeds

        def classify(waveform: tf.Tensor) -> tf.Tensor:
            probabilities = model(frontend(at_speeds(waveform, speeds)), training=False)
            shape = [-1, len(speeds), len(run.labels)]
            return tf.reduce_mean(tf.reshape(probabilities, shape), axis=1)

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
      run: the run whose clip length and padding are used.

    Yields:
      Clips float32 `[batch, samples]`, the last one padded as in training, and the number of
      samples of each clip before padding.
    """
    pieces: list[FloatArray] = []
    for piece in audio.rechunk(mono, run.input_samples):
        pieces.append(piece[:, 0])
        if len(pieces) == _BATCH_SIZE:
            yield _batch(pieces, run)
            pieces = []
    if pieces:
        yield _batch(pieces, run)


def _sample(run: Run, paths: Sequence[str | Path]) -> FloatArray:
    """Return the network's inputs `[clips, …]` for a random choice of the clips of audio files.

    Silent clips and files that cannot be read are left out.

    Raises:
      AudioError: if no clip remains.
    """
    errors: list[AudioError] = []

    def clips() -> Iterator[FloatArray]:
        for path in paths:
            try:
                with audio.Reader(path) as reader:
                    for batch, _ in clip_batches(reader.mid(run.sample_rate), run):
                        yield from (clip for clip in batch if clip.any())
            except AudioError as error:
                errors.append(error)

    chosen = adaptation.random_choice(clips())
    if not chosen:
        if len(errors) == len(paths):
            raise errors[0]
        raise AudioError("the files contain no sound to adapt the network to; omit --adapt")
    frontend = compiled(run.frontend)
    batches = tf.data.Dataset.from_tensor_slices(chosen).batch(_BATCH_SIZE)
    return np.concatenate([frontend(batch).numpy() for batch in batches])


def _originals(paths: Sequence[str | Path]) -> dict[Path, Path]:
    """Map each file that is identical to an earlier one to that one."""
    return {
        copy: same[0]
        for same in identical_files(dict.fromkeys(map(Path, paths)))
        for copy in same[1:]
    }


def _batch(pieces: list[FloatArray], run: Run) -> tuple[FloatArray, FloatArray]:
    tail = run.config.prepare.tail
    filled = [cutting.fill(piece, run.input_samples, tail) for piece in pieces]
    return np.stack(filled), np.array([len(piece) for piece in pieces], float)
