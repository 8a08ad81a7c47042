"""Compose the corpus of the packaged transfer network: the same scores on different instruments.

    python tools/presets/timbre.py corpus
    tfdream prepare corpus dataset --config timbre_network
    tfdream train timbre_network dataset run

A group has three scores, each played by four instruments. Instruments are synthesizers with random
parameters, programs of General MIDI soundfonts, drum kits, and ensembles of these; none of them is
in the held-out split of ``tools/bench/transfer_pairs.py``. The tracks of an instrument are a
folder, and a score has the same file name in the folders of all instruments of its group.
"""

import csv
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from transfer_pairs import instruments, pairs, scores
from transfer_pairs.instruments import Rng
from transfer_pairs.scores import SAMPLE_RATE, SECONDS, Kind, Note, Score
from transfer_pairs.soundfont import render

from tfdream.audio import Samples
from tfdream.datasets.sources.csv import MANIFEST

INSTRUMENTS, SCORES = 4, 3
FOLDS = 10
SOUNDFONTS = ("/usr/share/sounds/sf2/TimGM6mb.sf2", "/usr/share/sounds/sf2/FluidR3_GM.sf2")
SHARES: dict[Kind | str, float] = {
    "melodic": 0.3,
    "polyphonic": 0.3,
    "drums": 0.2,
    "ensemble": 0.2,
}
_SYNTHESIZED_SHARE = 0.5
_ADDITIVE_SHARE = 0.6
_MOST_SEMITONES = 12
_SILENT_PEAK = 1e-3

Play = Callable[[Score, Rng], Samples]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--groups", type=click.IntRange(1), default=300, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
def main(folder: Path, groups: int, seed: int, processes: int) -> None:
    """Write FLAC files and manifest.csv to FOLDER; groups that are there are kept."""
    rows: list[tuple[str, str, str, int]] = []
    with ProcessPoolExecutor(processes) as pool:
        for index, tracks in enumerate(pool.map(partial(write_group, folder, seed), range(groups))):
            group = f"{index:05d}"
            rows += [(path, path.split("/")[0], group, index % FOLDS) for path in tracks]
            click.echo(f"\r{index + 1} of {groups} groups", nl=False, err=True)
    with (folder / MANIFEST).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "group", "fold"), *rows])
    click.echo(f"\n{len(rows)} tracks of {SECONDS:g} s in {folder}", err=True)


def write_group(folder: Path, seed: int, index: int) -> list[str]:
    """Render every score of a group on every instrument; return the paths relative to `folder`."""
    rng = np.random.default_rng([seed, 11, index])
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    parts: list[Kind] = ["melodic", "polyphonic", "drums"] if kind == "ensemble" else [kind]  # type: ignore[list-item]
    lines = [[score(part, rng) for part in parts] for _ in range(SCORES)]
    paths = []
    for number in range(INSTRUMENTS):
        players = [player(part, rng) for part in parts]
        levels = rng.uniform(0.3, 1.0, len(parts))
        for line, part_scores in enumerate(lines):
            path = folder / f"{index:05d}-{number}" / f"{index:05d}-{line}.flac"
            paths.append(path.relative_to(folder).as_posix())
            if path.exists():
                continue
            wave = sum(
                level * pairs.normalize(play(part, np.random.default_rng([seed, index, line])))
                for level, play, part in zip(levels, players, part_scores, strict=True)
            )
            wave = np.asarray(wave, np.float32)
            if np.abs(wave).max() < _SILENT_PEAK:
                raise ValueError(f"{path} is silent")
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.7 * wave / np.abs(wave).max(), SAMPLE_RATE, "PCM_16")
    return paths


def score(kind: Kind, rng: Rng) -> Score:
    """Generate a score with a random transposition, dynamics and density."""
    notes = scores.generate(kind, rng)
    if kind == "drums":
        return notes
    semitones = int(rng.integers(-_MOST_SEMITONES, _MOST_SEMITONES + 1))
    loudest, dynamics = rng.uniform(0.6, 1.0), rng.uniform(0.0, 1.0)
    length = rng.uniform(0.4, 1.2)
    return [
        Note(
            note.onset,
            max(0.06, length * note.duration),
            int(np.clip(note.pitch + semitones, 24, 100)),
            loudest * note.velocity**dynamics,
        )
        for note in notes
    ]


def player(kind: Kind, rng: Rng) -> Play:
    """Draw an instrument or a drum kit of the tuning split, or a synthesizer of its own."""
    drums = kind == "drums"
    if rng.random() < _SYNTHESIZED_SHARE:
        families = (instruments.drum_kit,) if drums else instruments.TUNING_FAMILIES
        if not drums and rng.random() < _ADDITIVE_SHARE:
            families = (instruments.additive,)
        return instruments.instrument(families[rng.integers(len(families))], rng)
    programs = pairs.KITS["tuning"] if drums else pairs.programs("tuning")
    program, soundfont = int(rng.choice(programs)), Path(rng.choice(SOUNDFONTS))
    return lambda notes, _: render(notes, program, drums, soundfont)


if __name__ == "__main__":
    main()
