"""k-fold cross-validation: a network for each fold, judged on the clips that it never saw."""

import hashlib
import logging
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfdream import __version__
from tfdream.config import Experiment
from tfdream.datasets import manifest
from tfdream.errors import ConfigError, DatasetError
from tfdream.evaluation.classification import evaluate
from tfdream.evaluation.scores import intervals, per_class
from tfdream.io import documents
from tfdream.io.atomic import write_json
from tfdream.runs import Run
from tfdream.training.train import TrainOptions, train

logger = logging.getLogger(__name__)

RESULT = "crossvalidation.json"
EVALUATION = "evaluation.json"
_AVERAGED = ("clip_accuracy", "track_accuracy", "macro_f1")


def crossvalidate(
    config: Experiment,
    dataset_folder: Path,
    out_folder: Path,
    folds: Iterable[int] | None = None,
    force: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, note: None,
    name: str | None = None,
) -> dict[str, Any]:
    """Train a network for each fold, with that fold held out, and judge it on that fold.

    Each network is a run of its own, ``fold<k>`` in `out_folder`, the same as `train` with
    `test_fold=k` writes, with its ``evaluation.json``. The same call again goes on where the last
    one stopped: what is trained is not trained again, and judged again only where the weights are
    others since. Nothing is chosen by a held-out fold.

    Args:
      config: model, frontend and training.
      dataset_folder: of at least two folds.
      out_folder: where the runs and the result, ``crossvalidation.json``, go.
      folds: to hold out in turn; by default all of the dataset.
      force: start anew where `out_folder` holds runs already.
      progress: hears the steps done, about how many there are in all folds that are not finished
        yet, and which fold it is.
      name: that the result gives the configuration; by default the model's.

    Returns:
      The JSON object of the command: config, model, dataset, parameters, epochs (of the fold that
      had most), examples_per_second (median over the folds), seconds of training, labels, and
      folds: a row for each. clip_accuracy, track_accuracy and macro_f1 are means over the folds,
      …_deviation their sample deviations. From the predictions of all folds together, where every
      clip counts alike: confusion, per_class, clips, tracks, and the 95 % intervals of both
      accuracies (see `scores.intervals`).

    Raises:
      ConfigError, DatasetError, ModelError: if the settings, the dataset or a run do not fit.
    """
    dataset = manifest.load(dataset_folder)
    if len(dataset.folds) < 2:
        raise DatasetError(
            f"'{dataset_folder}' has one fold, which leaves none to train on when it is held out; "
            "prepare it with prepare.folds=2 or more"
        )
    chosen = sorted(set(dataset.folds if folds is None else folds))
    dataset.fold_shards(chosen)  # a fold that is not there is refused before anything is trained
    result_path = out_folder / RESULT
    begun = [] if force else [fold for fold in chosen if _is_run(_run_folder(out_folder, fold))]
    for fold in begun:
        _check_epochs(_run_folder(out_folder, fold), config)
    judged, steps = {}, {}
    # What is begun comes first: a run of other settings is refused before others are trained.
    order = sorted(chosen, key=lambda fold: fold not in begun)
    for place, fold in enumerate(order):
        note = f"fold {place + 1} of {len(order)}"

        def report(
            done: int, total: int, place: int = place, fold: int = fold, note: str = note
        ) -> None:
            if place not in steps:  # the first step: the settings fit
                logger.info("%s: number %d is held out", note, fold)
                # The last result is not of these networks any more.
                result_path.unlink(missing_ok=True)
            steps[place] = total
            behind = sum(steps.values()) - total
            # The folds to come have about as many steps as this one.
            progress(behind + done, behind + (len(order) - place) * total, note=note)

        run_folder = _run_folder(out_folder, fold)
        trained = train(config, dataset_folder, run_folder, TrainOptions(fold, force), report)
        evaluation = _evaluation(Run.open(run_folder), dataset_folder, fold)
        logger.info(
            "%s: clip accuracy %.4f, track accuracy %.4f",
            *(note, evaluation["clip_accuracy"], evaluation["track_accuracy"]),
        )
        judged[fold] = (trained, evaluation)

    assert config.model is not None  # `train` has seen to it
    result = {
        "config": name or config.model.name,
        "model": config.model.name,
        "dataset": dataset_folder.resolve().name,
        **_summary([judged[fold] for fold in chosen], chosen, dataset.labels),
    }
    write_json(result_path, result)
    return result


def _run_folder(out_folder: Path, fold: int) -> Path:
    return out_folder / f"fold{fold}"


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").exists()


def _check_epochs(run_folder: Path, config: Experiment) -> None:
    """`train` leaves a run of more epochs as it is: the folds would not be alike."""
    before, now = Run.open(run_folder).config.training.epochs, config.training.epochs
    if before > now:
        raise ConfigError(
            f"'{run_folder}' was begun with training.epochs={before}, more than {now}; "
            f"use {before} or more, name another folder, or use --force to train anew"
        )


def _evaluation(run: Run, dataset_folder: Path, fold: int) -> dict[str, Any]:
    """Judge a run on a fold, or find that these very weights have been judged before."""
    path = run.folder / EVALUATION
    of_what = {
        "folds": [fold],
        "dataset_fingerprint": run.info.dataset_fingerprint,
        "weights_sha256": hashlib.sha256(run.weights_path.read_bytes()).hexdigest(),
        "tfdream": __version__,
    }
    before = _read(path)
    if of_what.items() <= before.items():
        return before
    evaluation = {**evaluate(run, dataset_folder, [fold]), **of_what}
    write_json(path, evaluation)
    return evaluation


def _read(path: Path) -> dict[str, Any]:
    """An evaluation; empty where there is none, or something that is not one."""
    try:
        content = documents.read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _summary(
    judged: list[tuple[dict[str, Any], dict[str, Any]]], folds: list[int], labels: list[str]
) -> dict[str, Any]:
    trainings, evaluations = zip(*judged, strict=True)
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
