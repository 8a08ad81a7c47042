"""Evaluate a baseline: a random forest on means and deviations of MFCC, on the same folds.

python tools/bench/mfcc_forest.py DATASET [--fold K]...
"""

import json
from pathlib import Path

import click
import librosa
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tfdream.datasets import manifest, records
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.evaluation.classification import Predictions, score

MFCC = 20
TREES = 500


def clip_features(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    mfcc = librosa.feature.mfcc(y=waveform, sr=sample_rate, n_mfcc=MFCC)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])


def fold_features(dataset: Dataset, folds: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, labels, tracks = [], [], []
    for serialized in ClipSet.from_folds(dataset, folds).records_in_order().batch(64):
        batch = records.parse_batch(serialized, dataset.config)
        rate = dataset.config.sample_rate
        features += [clip_features(waveform, rate) for waveform in batch["waveform"].numpy()]
        labels.append(batch["label"].numpy())
        tracks.append(np.char.decode(batch["track"].numpy().astype(bytes), "utf-8"))
    return np.stack(features), np.concatenate(labels), np.concatenate(tracks)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--fold", "folds", type=int, multiple=True, help="By default each in turn.")
def main(folder: Path, folds: tuple[int, ...]) -> None:
    """Print accuracies of the forest on the held-out folds of the dataset in FOLDER."""
    dataset = manifest.load(folder)
    by_fold = {fold: fold_features(dataset, [fold]) for fold in dataset.folds}
    for fold in folds or dataset.folds:
        rest = [by_fold[other] for other in dataset.folds if other != fold]
        features, labels, _ = (np.concatenate(parts) for parts in zip(*rest, strict=True))
        forest = RandomForestClassifier(TREES, random_state=0).fit(features, labels)
        held_out, truth, tracks = by_fold[fold]
        predictions = Predictions(forest.predict_proba(held_out), truth, tracks)
        print(json.dumps({"fold": fold, **score(predictions, dataset.labels)}))


if __name__ == "__main__":
    main()
