"""k-fold cross-validation: each fold is held out once and evaluated with its own network."""

import logging
import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfdream import __version__
from tfdream.config import Experiment
from tfdream.datasets import manifest
from tfdream.errors import ConfigError, DatasetError, TfdreamError
from tfdream.evaluation.classification import evaluate
from tfdream.evaluation.scores import intervals, per_class
from tfdream.io import documents, processes
from tfdream.io.atomic import write_json
from tfdream.io.checksums import file_sha256
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import Run
from tfdream.runs.named import fold_folder, is_run
from tfdream.training.train import TrainOptions, describe, train

logger = logging.getLogger(__name__)

RESULT = "crossvalidation.json"
EVALUATION = "evaluation.json"
_AVERAGED = ("clip_accuracy", "track_accuracy", "macro_f1")


def crossvalidate(
    config: Experiment,
    dataset_folder: str | Path,
    out_folder: str | Path,
    folds: Iterable[int] | None = None,
    force: bool = False,
    progress: ProgressFn = no_progress,
    name: str | None = None,
    apart: bool = False,
) -> dict[str, Any]:
    """Train a network for each fold, with that fold held out, and evaluate it on that fold.

    Each network is a run in ``fold<k>`` of `out_folder`, as `train` with `test_fold=k` writes it,
    with its ``evaluation.json``. A repeated call continues an interrupted one: finished trainings
    are not repeated, and evaluations only if the weights have changed. No setting is chosen on a
    held-out fold.

    Args:
      config: model, frontend and training.
      dataset_folder: dataset with at least two folds.
      out_folder: folder of the runs and of the result, ``crossvalidation.json``.
      folds: folds to hold out in turn; by default all folds of the dataset. A result of further
        folds in `out_folder` is not replaced, unless a network is trained.
      force: replace the runs in `out_folder`.
      progress: receives the finished steps, an estimate of the steps of all unfinished folds, and
        the number of the fold.
      name: name of the configuration in the result; by default the model's.
      apart: train and evaluate each fold in its own process. Keras keeps some memory of every
        network that was trained, about 90 MB for one of 2 million parameters.

    Returns:
      The JSON object of the command: config, model, dataset, parameters, epochs (maximum over the
      folds), examples_per_second (median over the folds), seconds of training, labels, and folds:
      a row for each. clip_accuracy, track_accuracy and macro_f1 are means over the folds,
      …_deviation their sample standard deviations. From the predictions of all folds together,
      with equal weights of all clips: confusion, per_class, clips, tracks, and the 95 % intervals
      of both accuracies (see `scores.intervals`).

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or a run do not fit.
      TfdreamError: if the process of a fold ends without a result.
    """
    dataset_folder, out_folder = Path(dataset_folder), Path(out_folder)
    dataset = manifest.load(dataset_folder)
    if len(dataset.folds) < 2:
        raise DatasetError(
            f"'{dataset_folder}' has one fold, which leaves none to train on when it is held out; "
            "prepare it with prepare.folds=2 or more"
        )
    chosen = sorted(set(dataset.folds if folds is None else folds))
    # What does not fit is rejected before any training.
    dataset.fold_shards(chosen)
    for fold in chosen:
        describe(config, [dataset], fold)
    result_path = out_folder / RESULT
    started = [] if force else [fold for fold in chosen if is_run(fold_folder(out_folder, fold))]
    for fold in started:
        _check_epochs(fold_folder(out_folder, fold), config)
    evaluated = {}
    # Started folds come first: a run with other settings is rejected before others are trained.
    order = sorted(chosen, key=lambda fold: fold not in started)
    overall = _OverallProgress(order, result_path, progress)
    for fold in order:
        note = overall.note(fold)
        run_folder = fold_folder(out_folder, fold)
        options = TrainOptions(test_fold=fold, force=force)
        report = overall.of_fold(fold)
        work = config, dataset_folder, run_folder, options
        if apart:
            try:
                trained, evaluation = processes.call_apart(_hold_out, report, *work)
            except processes.ProcessEndedError as error:
                raise TfdreamError(
                    f"{note}, number {fold} held out: {error}; memory may have run out: free some, "
                    "and the same call continues; or use a smaller training.batch_size and another "
                    "folder"
                ) from None
        else:
            trained, evaluation = _hold_out(report, *work)
        logger.info(
            "%s: clip accuracy %.4f, track accuracy %.4f",
            *(note, evaluation["clip_accuracy"], evaluation["track_accuracy"]),
        )
        evaluated[fold] = (trained, evaluation)

    assert config.model is not None  # checked above
    result = {
        "config": name or config.model.name,
        "model": config.model.name,
        "dataset": dataset.name,
        **_summary([evaluated[fold] for fold in chosen], chosen, dataset.labels),
    }
    if not _folds_of(result_path) > set(chosen):  # the result of more folds includes this one
        write_json(result_path, result)
    return result


def _folds_of(result_path: Path) -> set[int]:
    """Return the folds of a result, which may not exist."""
    return {row["fold"] for row in _read(result_path).get("folds", [])}


def _hold_out(
    progress: ProgressFn, config: Experiment, dataset: Path, folder: Path, options: TrainOptions
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train a network without a fold, and evaluate it on this fold."""
    trained = train(config, dataset, folder, options, progress)
    assert options.test_fold is not None
    return trained, _evaluation(Run.open(folder), dataset, options.test_fold)


class _OverallProgress:
    """Combines the progress of the folds; removes the previous result when training begins."""

    def __init__(self, order: list[int], result_path: Path, progress: ProgressFn) -> None:
        self.order = order
        self.result_path = result_path
        self.progress = progress
        self.steps: dict[int, int] = {}

    def note(self, fold: int) -> str:
        """Describe the position of a fold."""
        return f"fold {self.order.index(fold) + 1} of {len(self.order)}"

    def of_fold(self, fold: int) -> ProgressFn:
        """Return the function that receives the progress of one fold."""
        remaining = len(self.order) - self.order.index(fold)

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> None:
            if fold not in self.steps:  # the first step: the settings are accepted
                logger.info("%s: number %d is held out", self.note(fold), fold)
                # The previous result is not that of these networks any more.
                self.result_path.unlink(missing_ok=True)
            self.steps[fold] = total
            before = sum(self.steps.values()) - total
            # The remaining folds have about as many steps as this one.
            self.progress(before + done, before + remaining * total, note=self.note(fold))

        return report


def _check_epochs(run_folder: Path, config: Experiment) -> None:
    """Reject runs of more epochs, which `train` would leave as they are, unlike the others."""
    before, now = Run.open(run_folder).config.training.epochs, config.training.epochs
    if before > now:
        raise ConfigError(
            f"'{run_folder}' was started with training.epochs={before}, more than {now}; "
            f"use {before} or more, name another folder, or use --force to start again"
        )


def _evaluation(run: Run, dataset_folder: Path, fold: int) -> dict[str, Any]:
    """Evaluate a run on a fold, or read the evaluation of the same weights."""
    path = run.folder / EVALUATION
    identity = {
        "folds": [fold],
        "dataset_fingerprint": run.info.dataset_fingerprint,
        "weights_sha256": file_sha256(run.weights_path),
        "tfdream": __version__,
    }
    previous = _read(path)
    if identity.items() <= previous.items():
        return previous
    evaluation = {**evaluate(run, dataset_folder, [fold]), **identity}
    write_json(path, evaluation)
    return evaluation


def _read(path: Path) -> dict[str, Any]:
    """Read an evaluation; empty if there is none, or the file is damaged."""
    try:
        content = documents.read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _summary(
    evaluated: list[tuple[dict[str, Any], dict[str, Any]]], folds: list[int], labels: list[str]
) -> dict[str, Any]:
    trainings, evaluations = zip(*evaluated, strict=True)
    confusion = np.sum([evaluation["confusion"] for evaluation in evaluations], axis=0)
    shown = (*_AVERAGED, "clips", "tracks")
    averages: dict[str, float] = {}
    for name in _AVERAGED:
        values = [evaluation[name] for evaluation in evaluations]
        averages[name] = statistics.fmean(values)
        averages[f"{name}_deviation"] = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        "parameters": trainings[0]["parameters"],
        "epochs": max(training["epochs"] for training in trainings),
        "examples_per_second": statistics.median(
            training["examples_per_second"] for training in trainings
        ),
        "seconds": sum(training["seconds"] for training in trainings),
        "labels": labels,
        **averages,
        **intervals([row for evaluation in evaluations for row in evaluation["per_track"]]),
        "clips": sum(evaluation["clips"] for evaluation in evaluations),
        "tracks": sum(evaluation["tracks"] for evaluation in evaluations),
        "confusion": confusion.tolist(),
        "per_class": per_class(labels, confusion),
        "folds": [
            {"fold": fold, **{name: evaluation[name] for name in shown}}
            for fold, evaluation in zip(folds, evaluations, strict=True)
        ],
    }
