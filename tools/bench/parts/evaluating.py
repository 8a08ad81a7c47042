"""`evaluate`: every clip of a dataset through a network, scores and intervals."""

from pathlib import Path

import numpy as np
from timing import Cost, compare

from tfdream import config
from tfdream.datasets import pipeline, records
from tfdream.datasets.prepare import prepare
from tfdream.datasets.synthetic import write_corpus
from tfdream.evaluation.classification import evaluate
from tfdream.training.fit import train
from tfdream.training.runs import Run

_FOLDS = [0, 1]
_SECONDS = 30.0


def measure(folder: Path) -> list[Cost]:
    """Beside Keras's prediction of inputs that are in memory already."""
    songs = write_corpus(folder / "songs", 4, _SECONDS, 22050, seed=0)
    settings = config.load("lil_data", config.Experiment).prepare.model_copy(update={"folds": 2})
    prepare(folder / "songs", folder / "dataset", settings)
    audio_seconds = _SECONDS * len(songs)
    return [one(name, folder, audio_seconds) for name in ("lil_data", "recommended")]


def one(name: str, folder: Path, audio_seconds: float) -> Cost:
    dataset = records.load(folder / "dataset")
    settings = config.load(name, config.Experiment, ["training.epochs=1"])
    settings = settings.model_copy(update={"prepare": dataset.config})
    train(settings, folder / "dataset", folder / name)
    run = Run.open(folder / name)
    shards = dataset.fold_shards(_FOLDS)
    batches = pipeline.evaluation_batches(folder / "dataset", dataset, shards, settings, 32)
    inputs = np.concatenate([inputs for inputs, _ in batches.as_numpy_iterator()])
    return compare(
        f"`{name}`, {len(inputs)} clips",
        lambda: evaluate(run, folder / "dataset", _FOLDS),
        "Keras's `predict` of pictures in memory",
        lambda: run.model.predict(inputs, verbose=0),
        rounds=3,
        audio_seconds=audio_seconds,
    )
