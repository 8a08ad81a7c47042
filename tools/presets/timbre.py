"""Make the packaged transfer network from a corpus of the same scores on different instruments.

    python tools/presets/timbre.py compose corpus
    tfdream prepare corpus dataset --config timbre_network
    tfdream train timbre_network dataset run
    python tools/presets/timbre.py install run

A group has three scores, each played by four instruments. Instruments are synthesizers with random
parameters, programs of General MIDI soundfonts, drum kits, and ensembles of these; none of them is
in the held-out split of ``tools/bench/transfer_pairs.py``. The tracks of an instrument are a
folder, and a score has the same file name in the folders of all instruments of its group.
"""

import csv
import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import h5py
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from transfer_pairs import instruments, pairs, scores
from transfer_pairs.instruments import Rng
from transfer_pairs.scores import SAMPLE_RATE, SECONDS, Kind, Note, Score
from transfer_pairs.soundfont import render

from tfdream.audio import Samples
from tfdream.datasets.sources.layouts.csv import MANIFEST
from tfdream.presets import ModelCard, TrainingData
from tfdream.presets.archives import FILES
from tfdream.runs.info import INFO_FILE, WEIGHTS_FILE
from tfdream.runs.named import PACKAGED

NAME = "timbre"
GROUPS = 319
HOURS = 8.5
"""Length of the corpus; half of the instruments are synthesizers."""

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


@click.group()
def main() -> None:
    """Compose the corpus, or install the trained network."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--groups", type=click.IntRange(1), default=GROUPS, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
def compose(folder: Path, groups: int, seed: int, processes: int) -> None:
    """Write FLAC files and manifest.csv to FOLDER; files that are there are kept."""
    rows: list[tuple[str, str, str, int]] = []
    with ProcessPoolExecutor(processes) as pool:
        for index, tracks in enumerate(pool.map(partial(write_group, folder, seed), range(groups))):
            group = f"{index:05d}"
            rows += [(path, path.split("/")[0], group, index % FOLDS) for path in tracks]
            click.echo(f"\r{index + 1} of {groups} groups", nl=False, err=True)
    with (folder / MANIFEST).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "group", "fold"), *rows])
    click.echo(f"\n{len(rows)} tracks of {SECONDS:g} s in {folder}", err=True)


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "packaged", type=click.Path(path_type=Path), default=PACKAGED / NAME)
def install(run: Path, packaged: Path) -> None:
    """Write the model card of RUN, and copy it into the package."""
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    card(metrics).write(run)
    packaged.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if name == WEIGHTS_FILE:
            halve(run / name, packaged / name)
        else:
            shutil.copyfile(run / name, packaged / name)
    path = packaged / INFO_FILE
    info = json.loads(path.read_text()) | {"dataset": NAME}
    path.write_text(json.dumps(info, indent=2) + "\n")


def halve(weights: Path, output: Path) -> None:
    """Copy weights with half the precision, which is a thousandth of each value."""
    with h5py.File(weights) as source, h5py.File(output, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                copied = target.create_dataset(name, data=item[()].astype(np.float16))
            else:
                copied = target.require_group(name)
            for key, value in item.attrs.items():
                copied.attrs[key] = value

        source.visititems(copy)
        for key, value in source.attrs.items():
            target.attrs[key] = value


def card(metrics: dict[str, float]) -> ModelCard:
    """Return the card of the network, given the metrics of its training."""
    repository = "tools/presets/timbre.py, in the repository of tfdream"
    return ModelCard(
        title="Timbre of a style on the notes of a content",
        summary="Attention between the frames of two recordings; predicts gains of mel bands. "
        "Trained on scores that several instruments play, for the recipe transfer/timbre.",
        source=f"python {repository}",
        license="Apache-2.0 for the weights, which contain no recordings. Whether the licenses of "
        "training data extend to weights is not settled; they are listed here.",
        training_data=(
            TrainingData(
                name="Synthesizers with random parameters",
                license="Apache-2.0",
                source="tools/presets/timbre.py",
                hours=HOURS / 2,
            ),
            TrainingData(
                name="TimGM6mb, programs of 9 of 14 families and four drum kits (Tim Brechbill)",
                license="GPL-2.0-only",
                source="https://packages.debian.org/bookworm/timgm6mb-soundfont",
                hours=HOURS / 4,
            ),
            TrainingData(
                name="Fluid (R3), the same programs (Frank Wen)",
                license="MIT",
                source="https://packages.debian.org/bookworm/fluid-soundfont-gm",
                hours=HOURS / 4,
            ),
        ),
        accuracy=f"Held-out instruments of the same kinds (fold 0 of {FOLDS}): levels "
        f"{metrics['val_level_db']:.1f} dB from the target, an equalizer "
        f"{metrics['val_equalizer_db']:.1f} dB. Other families of instruments, at full resolution: "
        "docs/results.md, Transfers with a target.",
    )


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
