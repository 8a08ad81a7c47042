"""Accuracy of a support vector machine on groups of the statistics of textures, on the same folds.

    tfdream prepare ESC-10 esc10 --config recommended_texture
    python tools/bench/texture_groups.py esc10

It needs no augmentation and no seed, so it shows what each group contributes: all groups, all but
one, and one alone.
"""

from pathlib import Path

import click
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tables import PATH, print_table

from tfdream import config
from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.models.parts.texture import TextureStatistics
from tfdream.signal import frontends

PENALTY = 3


def fold_statistics(dataset: Dataset, fold: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the groups of statistics of a fold's clips, and their labels."""
    experiment = config.load_experiment("recommended_texture")
    frontend = frontends.build(experiment.frontend, dataset.config.sample_rate)
    layer = TextureStatistics()
    groups: dict[str, list[np.ndarray]] = {}
    labels = []
    pipeline = LabeledPipeline(experiment, frontend)
    for images, clips in pipeline.evaluation(ClipSet.from_folds(dataset, [fold]), 64):
        if not layer.built:
            layer.build(images.shape)
        for name, values in layer.groups(images).items():
            groups.setdefault(name, []).append(values.numpy())
        labels.append(clips["label"].numpy())
    return {name: np.concatenate(values) for name, values in groups.items()}, np.concatenate(labels)


@click.command()
@click.argument("folder", type=PATH)
def main(folder: Path) -> None:
    """Print the accuracies on the held-out folds of the dataset in FOLDER."""
    dataset = manifest.load(folder)
    by_fold = {fold: fold_statistics(dataset, fold) for fold in dataset.folds}

    def accuracy(names: list[str]) -> str:
        def inputs(fold: int) -> np.ndarray:
            return np.concatenate([by_fold[fold][0][name] for name in names], axis=1)

        shares = []
        for fold in dataset.folds:
            rest = [other for other in dataset.folds if other != fold]
            machine = make_pipeline(StandardScaler(), SVC(C=PENALTY))
            machine.fit(
                np.concatenate([inputs(other) for other in rest]),
                np.concatenate([by_fold[other][1] for other in rest]),
            )
            shares.append(machine.score(inputs(fold), by_fold[fold][1]))
        return f"{np.mean(shares):.1%}"

    names = list(by_fold[dataset.folds[0]][0])
    print(f"all groups: {accuracy(names)}\n")
    rows = (
        [name, accuracy([name]), accuracy([other for other in names if other != name])]
        for name in names
    )
    print_table(["group", "alone", "without it"], rows, words=1)


if __name__ == "__main__":
    main()
