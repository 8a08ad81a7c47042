"""`evaluate` on every clip of a dataset, with scores and intervals."""

from pathlib import Path

import numpy as np
from corpora import prepared
from timing import Cost, compare

from tfdream import config
from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.evaluation.classification import evaluate
from tfdream.runs import Run
from tfdream.training.train import train

_FOLDS = [0, 1]


def measure(folder: Path) -> list[Cost]:
    """Compare with Keras predictions on inputs in memory."""
    dataset, audio_seconds = prepared(folder)
    return [
        one(name, dataset, folder / name, audio_seconds) for name in ("lil_data", "recommended")
    ]


def one(name: str, folder: Path, run_folder: Path, audio_seconds: float) -> Cost:
    dataset = manifest.load(folder)
    overrides = ["training.epochs=1", "training.validate_on=test"]
    settings = config.load(name, config.Experiment, overrides)
    settings = settings.model_copy(update={"prepare": dataset.config})
    train(settings, folder, run_folder)
    run = Run.open(run_folder)
    clips = ClipSet.from_folds(dataset, _FOLDS)
    batches = LabeledPipeline(settings, run.frontend).evaluation(clips, 32)
    inputs = np.concatenate([inputs for inputs, _ in batches.as_numpy_iterator()])
    return compare(
        f"`{name}`, {len(inputs)} clips",
        lambda: evaluate(run, folder, _FOLDS),
        "Keras `predict` on images in memory",
        lambda: run.model.predict(inputs, verbose=0),
        rounds=3,
        audio_seconds=audio_seconds,
    )
