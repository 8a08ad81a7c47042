"""Accuracy of classifiers trained on few recordings of each label.

    python tools/bench/learning_curve.py my_music work --config recommended --tracks 3 --tracks 10

For each number of tracks, so many of each label are drawn for training, and up to --test of the
others are classified. Labels with too few tracks for the largest number are left out, so that all
rows have the same task. The tracks of a group stay on one side. WORK receives the datasets and
runs, those that exist are kept.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from tables import PATH, print_table

from tfdream.datasets.sources.find import AUTO, read_source
from tfdream.datasets.sources.layouts.csv import MANIFEST
from tfdream.datasets.sources.tracks import Track

TFDREAM = (sys.executable, "-m", "tfdream")
TEST, TRAINING = 0, 1


def by_label(source: Path, most: int) -> dict[str, list[list[Track]]]:
    """Return the groups of tracks of each label that has more than `most` tracks."""
    labels: dict[str, dict[str, list[Track]]] = defaultdict(lambda: defaultdict(list))
    for track in read_source(source, AUTO)[0]:
        labels[track.label][track.group].append(track)
    enough = {
        label: list(groups.values())
        for label, groups in labels.items()
        if sum(map(len, groups.values())) > most
    }
    print(f"labels: {', '.join(enough)} (of {len(labels)})", file=sys.stderr)
    return enough


def draw(
    labels: dict[str, list[list[Track]]], count: int, test: int, choice: int
) -> Iterator[tuple[Track, int]]:
    """Yield tracks with their fold: `count` of each label for training, and up to `test` others.

    A smaller number of training tracks is a part of a larger one of the same choice, and the order
    of the test tracks does not depend on it.
    """
    for number, groups in enumerate(labels.values()):
        order = np.random.default_rng([choice, number]).permutation(len(groups))
        tracks = [track for index in order for track in groups[index]]
        rest = [
            track for track in reversed(tracks[count:]) if track.group != tracks[count - 1].group
        ]
        yield from ((track, TRAINING) for track in tracks[:count])
        yield from ((track, TEST) for track in rest[:test])


def write_source(tracks: Iterator[tuple[Track, int]], folder: Path) -> None:
    """Link the recordings in a folder with a manifest that states their folds."""
    rows = ["path,label,group,fold"]
    for track, fold in tracks:
        name = f"{track.label}/{track.path.name}"
        (folder / track.label).mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            os.link(track.path, folder / name)
        rows.append(f"{name},{track.label},{track.group},{fold}")
    (folder / MANIFEST).write_text("\n".join([*rows, ""]), encoding="utf-8")


def call(*arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [*TFDREAM, *map(str, arguments), "--json"], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise SystemExit(f"tfdream {' '.join(map(str, arguments))} failed")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def accuracy(config: str, source: Path, work: Path, settings: Sequence[str]) -> dict[str, Any]:
    """Prepare, train and evaluate; results that exist are kept."""
    dataset, run = work / "dataset", work / "run"
    options = [word for setting in settings for word in ("--set", setting)]
    call("prepare", source, dataset, "--config", config, *options)
    call("train", config, dataset, run, "--test-fold", TEST, *options)
    return call("evaluate", run, dataset, "--fold", TEST)


@click.command()
@click.argument("source", type=PATH)
@click.argument("work", type=PATH)
@click.option("--config", "configs", multiple=True, default=("recommended",))
@click.option("--tracks", "counts", type=int, multiple=True, default=(3, 10, 30))
@click.option("--test", default=30, help="Most test tracks of each label.")
@click.option("--choices", default=3, help="Random choices of tracks.")
@click.option("--set", "settings", multiple=True, help="Setting for prepare and train.")
def main(
    source: Path,
    work: Path,
    configs: tuple[str, ...],
    counts: tuple[int, ...],
    test: int,
    choices: int,
    settings: tuple[str, ...],
) -> None:
    """Print a Markdown table of accuracies: mean and range over the choices."""
    labels = by_label(source, max(counts))
    results: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for choice in range(choices):
        for count in sorted(counts):
            folder = work / f"{count}-{choice}"
            if not (folder / "source" / MANIFEST).exists():
                write_source(draw(labels, count, test, choice), folder / "source")
            for config in configs:
                result = accuracy(config, folder / "source", folder / config, settings)
                results[count, config].append(result)
                print(count, choice, config, result["clip_accuracy"], file=sys.stderr, flush=True)

    def cell(count: int, config: str, name: str) -> str:
        values = [result[name] for result in results[count, config]]
        return f"{np.mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"

    names = ("clip_accuracy", "track_accuracy")
    head = [f"{config}: {name.split('_')[0]}s" for config in configs for name in names]
    rows = (
        [str(count), *(cell(count, config, name) for config in configs for name in names)]
        for count in sorted(counts)
    )
    print_table(("tracks per label", *head), rows, words=0)


if __name__ == "__main__":
    main()
