"""Measure translations between two instruments or drum kits, whose correct result is available.

    python tools/bench/translation_pairs.py compose piano-strings FOLDER
    tfdream prepare FOLDER/tracks FOLDER/dataset --config recommended_translation
    tfdream train recommended_translation FOLDER/dataset RUN
    python tools/bench/translation_pairs.py measure FOLDER RUN...

The training tracks of the two domains play different scores. The held-out tracks play the same
scores, so that each is the target of a translation of the other. See docs/benchmarks.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import csv
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click
import numpy as np
import soundfile
from tables import PATH
from transfer_pairs import command, methods
from transfer_pairs.methods import Method
from transfer_pairs.pairs import Pair, normalize
from transfer_pairs.scores import SAMPLE_RATE, Kind, Score, corpus_scores, excerpt, generate
from transfer_pairs.soundfont import render

from tfdream import audio, config
from tfdream.audio import Samples
from tfdream.datasets.sources.layouts.csv import MANIFEST
from tfdream.errors import TfdreamError
from tfdream.runs import TranslationRun
from tfdream.synthesis.translate import Translator

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
TRACKS, HELD_OUT = 300, 24
"""Tracks of each domain: for training, and held out."""
_FOLDS = 4
_STYLE_TRACKS = 8
_PEAK = 0.9


@dataclass(frozen=True)
class Domains:
    """Two domains.

    Attributes:
      labels: their names.
      programs: General MIDI programs; of drums, the kits.
      kinds: kinds of scores.
    """

    labels: tuple[str, str]
    programs: tuple[int, int]
    kinds: tuple[Kind, ...]


DOMAINS = {
    "piano-strings": Domains(("piano", "strings"), (0, 48), ("melodic", "polyphonic")),
    "drum-kits": Domains(("acoustic", "electronic"), (0, 25), ("drums",)),
}


@click.group()
def main() -> None:
    """Compose two domains, or measure translations between them."""


@main.command()
@click.argument("name", type=click.Choice(list(DOMAINS)))
@click.argument("folder", type=PATH)
@click.option("--tracks", type=click.IntRange(2), default=TRACKS, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
def compose(name: str, folder: Path, tracks: int, processes: int) -> None:
    """Write the tracks of the domains NAME to FOLDER."""
    domains = DOMAINS[name]
    root = folder / "tracks"
    for label in domains.labels:
        (root / label).mkdir(parents=True, exist_ok=True)
    jobs = list(_jobs(domains, root, tracks))
    with ExitStack() as stack:
        if processes == 1:
            written = map(_write, jobs)
        else:
            pool = stack.enter_context(ProcessPoolExecutor(processes))
            written = pool.map(_write, jobs, chunksize=4)
        for done, _ in enumerate(written, start=1):
            click.echo(f"\r{done} of {len(jobs)} tracks", nl=False, err=True)
    with (root / MANIFEST).open("w", newline="", encoding="utf-8") as file:
        rows = [(job.path.relative_to(root), job.label, job.score, job.fold) for job in jobs]
        csv.writer(file).writerows([("path", "label", "group", "fold"), *rows])
    (folder / "domains.json").write_text(json.dumps({"name": name}) + "\n", encoding="utf-8")
    click.echo(err=True)


@dataclass(frozen=True)
class _Job:
    """A track to render: the index of its score, which both domains share if it is held out."""

    path: Path
    label: str
    program: int
    kind: Kind
    score: int
    fold: int
    notes: Score


def _jobs(domains: Domains, root: Path, tracks: int) -> Iterator[_Job]:
    scores = {
        kind: _scores(kind, (2 * tracks + HELD_OUT) // len(domains.kinds) + 1)
        for kind in domains.kinds
    }
    for index in range(2 * tracks + HELD_OUT):
        kind = domains.kinds[index % len(domains.kinds)]
        notes = next(scores[kind])
        held_out = index < HELD_OUT
        sides = (0, 1) if held_out else ((index // len(domains.kinds)) % 2,)
        fold = 0 if held_out else 1 + index % (_FOLDS - 1)
        for side in sides:
            label = domains.labels[side]
            path = root / label / f"{kind}-{index:04d}.flac"
            yield _Job(path, label, domains.programs[side], kind, index, fold, notes)


def _scores(kind: Kind, count: int) -> Iterator[Score]:
    """Yield scores; of melodic and polyphonic ones, every second one is from music21's corpus."""
    rng = np.random.default_rng([300, len(kind)])
    sources = [] if kind == "drums" else corpus_scores(kind, 400)
    for index in range(count):
        if sources and index % 2:
            yield excerpt(sources[index // 2 % len(sources)], rng)
        else:
            yield generate(kind, rng)


def _write(job: _Job) -> None:
    if job.path.exists():
        return
    wave = normalize(render(job.notes, job.program, job.kind == "drums", SOUNDFONT))
    soundfile.write(job.path, wave * min(1, _PEAK / np.abs(wave).max()), SAMPLE_RATE)


class DomainPairs:
    """The held-out tracks as pairs of content and target, in both directions.

    The style of a pair consists of some training tracks of the target's domain.

    Args:
      folder: of `compose`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.domains = DOMAINS[json.loads((folder / "domains.json").read_text())["name"]]
        with (folder / "tracks" / MANIFEST).open(encoding="utf-8") as file:
            self.rows = list(csv.DictReader(file))

    @property
    def names(self) -> list[str]:
        """Names of all pairs, such as "soundfont-melodic-00 to strings"."""
        first = self.domains.labels[0]
        stems = [Path(path).stem for path in self._paths(first, held_out=True)]
        return [f"soundfont-{stem} to {label}" for label in self.domains.labels for stem in stems]

    def read(self, name: str) -> Pair:
        """Return a pair."""
        target, stem = _target(name), name.removeprefix("soundfont-").split(" to ")[0]
        source = self.source_of(target)
        kind = next(kind for kind in self.domains.kinds if stem.startswith(kind))
        content, wanted = (self._read(f"{label}/{stem}.flac") for label in (source, target))
        return Pair(name, kind, content, self.style(target), wanted)

    def style(self, label: str) -> Samples:
        """Return some training tracks of a domain, one after another."""
        paths = list(islice(self._paths(label, held_out=False), _STYLE_TRACKS))
        return np.concatenate([self._read(path) for path in paths])

    def source_of(self, target: str) -> str:
        """Return the other label."""
        return next(label for label in self.domains.labels if label != target)

    def _paths(self, label: str, held_out: bool) -> Iterator[str]:
        for row in self.rows:
            if row["label"] == label and (row["fold"] == "0") == held_out:
                yield row["path"]

    def _read(self, path: str) -> Samples:
        samples: Samples = audio.read(self.folder / "tracks" / path)[0][:, 0]
        return samples


@main.command()
@click.argument("folder", type=PATH)
@click.argument("runs", type=PATH, nargs=-1)
@click.option("--recipe", default=methods.TRANSLATION, show_default=True)
@click.option("--transfer", "transfers", multiple=True, help="A recipe of transfer. Repeatable.")
@click.option("--every", type=click.IntRange(1), default=1, help="Use every N-th pair.")
@click.option("--json", "json_path", type=PATH, help="Also write the measures of every pair.")
def measure(
    folder: Path,
    runs: tuple[Path, ...],
    recipe: str,
    transfers: tuple[str, ...],
    every: int,
    json_path: Path | None,
) -> None:
    """Print a table of baselines and RUNS for the held-out tracks of FOLDER."""
    pairs = DomainPairs(folder)
    try:
        compared = {
            name: method for name, method in methods.BASELINES.items() if name != "copied style"
        }
        compared["equalizer of the domains"] = domain_equalizer(pairs)
        compared |= {name: methods.recipe(name) for name in transfers}
        if runs:
            compared["generator of the target's image"] = ideal_translation(runs[0], recipe)
        compared |= {str(run): translation(run, recipe) for run in runs}
        rows = list(command.evaluate(compared, pairs, pairs.names[::every]))
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None
    groups = {
        f"to {label}": [row for row in rows if _target(row.pair) == label]
        for label in pairs.domains.labels
    }
    command.report(rows, {"both directions": rows, **groups}, json_path)


def domain_equalizer(pairs: DomainPairs) -> Method:
    """Return a fixed equalizer from the mean power of one domain to that of the other."""
    sources = {
        label: methods.levels_db(pairs.style(pairs.source_of(label)))
        for label in pairs.domains.labels
    }

    def run(pair: Pair) -> Samples:
        source = sources[_target(pair.name)]
        return methods.with_gains(lambda content, style: methods.equalizer(source, style))(pair)

    return run


def translation(folder: Path, recipe: str) -> Method:
    """Return a method that translates as `tfdream translate` does."""
    translate = methods.translations(folder, recipe)
    return lambda pair: translate[_target(pair.name)](pair.content)


def ideal_translation(folder: Path, recipe: str) -> Method:
    """Return the rendering of a generator whose output is the image of the target, for each clip.

    It shows what the rendering by a recipe preserves of a perfect translation of images.
    """
    run = TranslationRun.open(folder)
    settings = config.load(recipe, config.TranslateConfig)

    def clips(wave: Samples) -> Samples:
        padded = np.pad(wave, (0, -len(wave) % run.input_samples))
        return padded.reshape(-1, run.input_samples)

    def translate(pair: Pair) -> Samples:
        target = 2 * run.frontend(clips(pair.target)) - 1
        translator = Translator(lambda images, training: target, run, settings)
        rendered = translator.translate(clips(pair.content)[:, :, np.newaxis])
        return rendered.numpy().reshape(-1)[: len(pair.content)]

    return translate


def _target(name: str) -> str:
    """Return the label of a pair's target."""
    return name.split(" to ")[1]


if __name__ == "__main__":
    main()
