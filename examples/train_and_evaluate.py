"""Compose a small corpus, train a classifier on it, and evaluate it on held-out songs.

    python examples/train_and_evaluate.py [FOLDER [KEY=VALUE...]]

To use your own recordings, put them into FOLDER/songs, one sub-folder per label. Settings override
those of the configuration, such as training.epochs=5.
"""

import sys
from pathlib import Path

from tfdream import config
from tfdream.corpus.styles import write_corpus
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.evaluation.classification import evaluate
from tfdream.runs import Run
from tfdream.training.train import train


def main(folder: str = "example", *overrides: str) -> None:
    songs, dataset, run = (Path(folder) / name for name in ("songs", "dataset", "run"))
    experiment = config.load("recommended", config.Experiment, ["training.epochs=10", *overrides])

    if not songs.exists():
        write_corpus(songs, tracks_per_style=5, seconds=10.0, sample_rate=22050, seed=0)
    prepare(songs, dataset, experiment.prepare, PrepareOptions(workers=1))
    result = train(experiment, dataset, run)  # holds out fold 0
    print(f"{result['examples_per_second']:.0f} examples per second")

    scores = evaluate(Run.open(run), dataset)
    print(f"{scores['clip_accuracy']:.0%} of {scores['clips']} held-out clips are correct")
    for label, row in zip(scores["labels"], scores["confusion"], strict=True):
        print(f"{label}: predicted as", dict(zip(scores["labels"], row, strict=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
