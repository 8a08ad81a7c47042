"""Training data of three other tasks for the network of dreams, beside its six genres.

    python tools/presets/genres.py work                       # downloads and arranges the tracks
    python tools/bench/dream_tasks.py collections work/tracks
    python tools/bench/dream_tasks.py tags work/tracks --teacher musicnn_msd
    python tools/bench/dream_tasks.py instruments work/instruments

The first two write a manifest of the same tracks with other labels: the collection (artist) of each
track, and the tag with the highest mean probability by another network. The third one renders
scores by the instruments of a General MIDI soundfont, labelled by their family. Networks are then
trained by `tfdream prepare` and `tfdream train` with `tools/presets/genres.yaml`, and compared by
`tools/bench/dream_recipes.py`.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import numpy as np
import soundfile
from corpora import recordings
from tables import PATH

sys.path.insert(0, str(Path(__file__).parents[1] / "presets"))

from genres import COLLECTIONS
from timbre import score
from transfer_pairs import pairs, scores
from transfer_pairs.soundfont import DEFAULT_SOUNDFONT, render

from tfdream.datasets.sources.layouts.csv import MANIFEST

FAMILIES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic"),
)
"""Families of eight General MIDI programs each."""
DRUMS = "drums"
LABELS = (*FAMILIES, DRUMS)


@click.group()
def main() -> None:
    """Write labels, or recordings with labels, for the training of a network."""


@main.command()
@click.argument("tracks", type=PATH)
def collections(tracks: Path) -> None:
    """Label the tracks of genres.py by their collection: TRACKS/collections.csv."""
    rows = []
    for path in recordings(tracks):
        package, name = path.name.split("_", 1)
        matching = (
            index
            for index, each in enumerate(COLLECTIONS)
            if each.package == package and (each.stems or Path(name).match(Path(each.pattern).name))
        )
        rows.append((path, f"{package}-{next(matching)}"))
    write(tracks / "collections.csv", rows)


@main.command()
@click.argument("tracks", type=PATH)
@click.option("--teacher", default="musicnn_msd", show_default=True, help="Run or preset.")
@click.option("--least", type=int, default=5, show_default=True, help="Tracks of each tag.")
def tags(tracks: Path, teacher: str, least: int) -> None:
    """Label the tracks of genres.py by their most probable tag: TRACKS/tags.csv."""
    from tfdream.evaluation.prediction import predict
    from tfdream.runs import Run

    result = predict(Run.open(teacher), recordings(tracks))
    rows = [(Path(file["path"]), file["label"]) for file in result["files"]]
    counts = Counter(tag for _, tag in rows)
    write(tracks / "tags.csv", [(path, tag) for path, tag in rows if counts[tag] >= least])


@main.command()
@click.argument("folder", type=PATH)
@click.option("--count", type=int, default=80, show_default=True, help="Recordings of each family.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
def instruments(folder: Path, count: int, seed: int, processes: int) -> None:
    """Render scores of 8 s by each family of instruments: FOLDER/<family>/*.flac."""
    jobs = [(label, index) for label in LABELS for index in range(count)]
    with ProcessPoolExecutor(processes) as pool:
        paths = list(pool.map(partial(write_recording, folder, seed), *zip(*jobs, strict=True)))
    write(folder / MANIFEST, zip(paths, (label for label, _ in jobs), strict=True))


def write_recording(folder: Path, seed: int, label: str, index: int) -> Path:
    """Render a random score by a random instrument of a family."""
    path = folder / label / f"{index:03d}.flac"
    if path.exists():
        return path
    family = LABELS.index(label)
    rng = np.random.default_rng([seed, family, index])
    drums = label == DRUMS
    programs = [*pairs.KITS["tuning"], *pairs.KITS["held-out"]] if drums else range(8)
    program = int(rng.choice(programs)) + (0 if drums else 8 * family)
    kind: scores.Kind = "drums" if drums else ("melodic", "polyphonic")[rng.integers(2)]
    wave = pairs.normalize(render(score(kind, rng), program, drums, DEFAULT_SOUNDFONT))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave / max(1.0, np.abs(wave).max()), scores.SAMPLE_RATE, "PCM_16")
    return path


def write(manifest: Path, rows: Iterable[tuple[Path, str]]) -> None:
    """Write a manifest with paths relative to it, and print the number of tracks of each label."""
    rows = list(rows)
    with manifest.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("path", "label"))
        table.writerows((path.relative_to(manifest.parent), label) for path, label in rows)
    for label, number in sorted(Counter(label for _, label in rows).items()):
        click.echo(f"{label:32} {number}")


if __name__ == "__main__":
    main()
