"""`evaluate` on every clip of a dataset, with scores and intervals."""

from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
from corpora import prepared
from timing import Cost, compare

from tfdream import config
from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.records import parse
from tfdream.evaluation.classification import evaluate
from tfdream.runs import Run
from tfdream.training.train import train

_FOLDS = [0, 1]
_ON_MEL_BANDS = "recommended"
_TOLERANCE = 1e-3


def measure(folder: Path) -> list[Cost]:
    """Compare with Keras predictions on inputs in memory, and with PyTorch from the samples."""
    dataset, audio_seconds = prepared(folder)
    runs = {name: _trained(name, dataset, folder / name) for name in ("lil_data", _ON_MEL_BANDS)}
    costs = [_beside_predictions(name, run, dataset, audio_seconds) for name, run in runs.items()]
    if find_spec("torch") is not None:
        run = runs[_ON_MEL_BANDS]
        costs.append(_beside_pytorch(_ON_MEL_BANDS, run, dataset, audio_seconds))
        large, large_seconds = prepared(folder / "large", seconds=300.0)
        costs.append(_beside_pytorch(_ON_MEL_BANDS, run, large, large_seconds))
    return costs


def _trained(name: str, folder: Path, run_folder: Path) -> Run:
    overrides = ["training.epochs=1", "training.validate_on=test"]
    settings = config.load(name, config.Experiment, overrides)
    settings = settings.model_copy(update={"prepare": manifest.load(folder).config})
    train(settings, folder, run_folder)
    return Run.open(run_folder)


def _beside_predictions(name: str, run: Run, folder: Path, audio_seconds: float) -> Cost:
    clips = ClipSet.from_folds(manifest.load(folder), _FOLDS)
    batches = LabeledPipeline(run.config, run.frontend).evaluation(clips, 32)
    inputs = np.concatenate([inputs for inputs, _ in batches.as_numpy_iterator()])
    return compare(
        f"`{name}`, {len(inputs)} clips",
        lambda: evaluate(run, folder, _FOLDS),
        "Keras `predict` on images in memory",
        lambda: run.model.predict(inputs, verbose=0),
        rounds=3,
        audio_seconds=audio_seconds,
    )


def _beside_pytorch(name: str, run: Run, folder: Path, audio_seconds: float) -> Cost:
    from torch_evaluation import torch_evaluation

    dataset = manifest.load(folder)
    records = ClipSet.from_folds(dataset, _FOLDS).records_in_order()
    waveforms = np.stack([parse(record, dataset.config)["waveform"] for record in records])
    other = torch_evaluation(run, waveforms, batch_size=16)
    logits = keras.Model(run.model.input, run.model.get_layer("logits").output)
    difference = np.abs(logits(run.frontend(waveforms[:4])) - other()[:4].numpy()).max()
    if difference > _TOLERANCE:
        raise ValueError(f"`{name}`: the logits in PyTorch differ by {difference:g}")
    return compare(
        f"`{name}`, {len(waveforms)} clips",
        lambda: evaluate(run, folder, _FOLDS),
        "PyTorch, images and network on samples in memory",
        other,
        rounds=7,
        audio_seconds=audio_seconds,
    )
