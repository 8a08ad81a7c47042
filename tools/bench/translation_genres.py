"""Measure translations between orchestral and electronic music with an independent judge.

    python tools/bench/translation_genres.py arrange FOLDER
    tfdream prepare FOLDER/tracks FOLDER/dataset --config recommended_translation
    tfdream train recommended_translation FOLDER/dataset RUN
    tfdream models install musicnn
    python tools/bench/translation_genres.py measure FOLDER RUN...

The recordings are those of two genres of tools/presets/genres.py. The judge is the tagger
musicnn_msd: an excerpt belongs to the genre whose training tracks have, on average, the nearest
tags; its *place* is 0 at the mean tags of its own genre, and 1 at those of the target genre.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np
import soundfile
from numpy.typing import NDArray
from tables import PATH, median, number, print_table
from transfer_pairs import methods
from transfer_pairs.pairs import Pair
from transfer_pairs.scores import SAMPLE_RATE

sys.path.insert(0, str(Path(__file__).parents[1] / "presets"))

import genres

from tfdream import audio
from tfdream.audio import Samples
from tfdream.audio.excerpts import clip as excerpt
from tfdream.datasets import manifest
from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare
from tfdream.evaluation.prediction import Judge
from tfdream.reports import html
from tfdream.reports.result import ResultSet
from tfdream.runs import Run

GENRES = ("orchestral", "electronic")
_JUDGE = "musicnn_msd"
_EXCERPTS, _SECONDS = 48, 12.0
"""Number and length of the excerpts of each genre whose tags are averaged, or that are translated.
"""
_HELD_OUT_FOLD = 0
_STYLE_EXCERPTS = 5
_EXAMPLES = 3
"""Number of the excerpts of each genre on the page of examples."""
Method = Callable[[Samples, int], Samples]
"""Changes an excerpt, given the index of the target genre."""

_LEAST_PROBABILITY = 1e-4
HEAD = (
    "method", "direction", "before: of the target genre", "place", "after: of the target genre",
    "place", "chroma", "onsets", "floor, dB",
    "flatness, dB", "loudness, LU",
)  # fmt: skip
FORMS = {
    "content_chroma_similarity": ".2f",
    "onset_correlation": ".2f",
    "floor_rise_db": "+.1f",
    "flatness_change_db": "+.1f",
    "loudness_change_lu": "+.1f",
}


@click.group()
def main() -> None:
    """Arrange two genres, or measure translations between them."""


@main.command()
@click.argument("folder", type=PATH)
def arrange(folder: Path) -> None:
    """Download the recordings to FOLDER, and link them in FOLDER/tracks."""
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for collection in genres.COLLECTIONS:
        if collection.genre in GENRES:
            genres.arrange(collection, packages, folder / "tracks")


@dataclass(frozen=True)
class NearestTags:
    """The judge: tags of a tagger, and their means in two genres.

    Attributes:
      judge: the tagger.
      means: mean logits of the tags of each genre, `[2, tags]`.
      deviation: standard deviation of the logits, `[tags]`.
    """

    judge: Judge
    means: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def fit(cls, clips: tuple[list[Samples], list[Samples]]) -> "NearestTags":
        """Average the tags of excerpts of each genre."""
        judge = Judge(Run.open(_JUDGE))
        tags = [np.stack([_logits(judge, clip) for clip in each]) for each in clips]
        means = np.stack([each.mean(axis=0) for each in tags])
        spread = np.concatenate([each - each.mean(axis=0) for each in tags]).std(axis=0)
        return cls(judge, means, spread)

    def __call__(self, clip: Samples, target: int) -> float:
        """Return the place of an excerpt between the means: 0 is the other genre, 1 the target.

        Above 0.5, the mean of the target is nearer.
        """
        axis = (self.means[target] - self.means[1 - target]) / self.deviation
        own = (_logits(self.judge, clip) - self.means[1 - target]) / self.deviation
        return float(own @ axis / (axis @ axis))


def _logits(judge: Judge, clip: Samples) -> NDArray[np.float64]:
    blocks = audio.resample([clip[:, np.newaxis]], SAMPLE_RATE, judge.run.sample_rate)
    share = np.clip(judge(blocks)[0], _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    logits: NDArray[np.float64] = np.log(share / (1 - share))
    return logits


@main.command()
@click.argument("folder", type=PATH)
@click.argument("runs", type=PATH, nargs=-1)
@click.option("--recipe", default=methods.TRANSLATION, show_default=True)
@click.option("--transfer", "transfers", multiple=True, help="A recipe of transfer. Repeatable.")
@click.option("--excerpts", type=click.IntRange(2), default=_EXCERPTS, show_default=True)
@click.option("--outputs", type=PATH, help="Write the results to this folder.")
@click.option("--report", type=PATH, help="Write a page with players of some results.")
def measure(
    folder: Path,
    runs: tuple[Path, ...],
    recipe: str,
    transfers: tuple[str, ...],
    excerpts: int,
    outputs: Path | None,
    report: Path | None,
) -> None:
    """Print the judge's results and the measures of held-out excerpts translated by RUNS."""
    try:
        folds = manifest.load(folder / "dataset").folds
        known = _excerpts(folder, [fold for fold in folds if fold != _HELD_OUT_FOLD], _EXCERPTS)
        held_out = _excerpts(folder, [_HELD_OUT_FOLD], excerpts)
        judge = NearestTags.fit(known)
        first, second = (np.concatenate(clips[:_STYLE_EXCERPTS]) for clips in known)
        compared = _methods(runs, recipe, transfers, (first, second))
        with tempfile.TemporaryDirectory() as temporary:
            examples = Examples()
            rows = _rows(compared, judge, held_out, outputs or Path(temporary), examples)
            print_table(HEAD, rows, words=2)
            if report is not None:
                html.write(examples.page(), report)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


def _excerpts(folder: Path, folds: list[int], count: int) -> tuple[list[Samples], list[Samples]]:
    """Read some excerpts of the tracks of each genre in some folds, spread over all tracks."""
    data = manifest.load(folder / "dataset")
    excerpts: tuple[list[Samples], list[Samples]] = ([], [])
    for label, read in zip(GENRES, excerpts, strict=True):
        paths = [
            folder / "tracks" / name
            for shard in data.fold_shards(folds)
            for name, of_label in zip(shard.tracks, shard.track_labels, strict=True)
            if data.labels[of_label] == label
        ]
        for index in range(count):
            path, turn = paths[index % len(paths)], index // len(paths)
            seconds = audio.seconds(path)
            turns = -(-count // len(paths))
            start = max(0.0, (turn + 1) / (turns + 1) * seconds - _SECONDS / 2)
            read.append(excerpt(path, start, round(_SECONDS * SAMPLE_RATE), SAMPLE_RATE))
    return excerpts


def _methods(
    runs: Iterable[Path], recipe: str, transfers: Iterable[str], styles: tuple[Samples, Samples]
) -> dict[str, Method]:
    """Return baselines, whose style is that of the target genre, recipes of transfer, and runs."""
    compared: dict[str, Method] = {}
    for name in (methods.BASE, *transfers):
        apply = methods.BASELINES.get(name) or methods.recipe(name)
        compared[name] = partial(_in_style, apply, styles)
    for path in runs:
        compared[path.name] = partial(_translate, methods.translations(path, recipe))
    return compared


def _in_style(
    apply: methods.Method, styles: tuple[Samples, Samples], clip: Samples, target: int
) -> Samples:
    return apply(Pair("", "polyphonic", clip, styles[target], clip))


def _translate(
    translate: dict[str, Callable[[Samples], Samples]], clip: Samples, target: int
) -> Samples:
    return translate[GENRES[target]](clip)


class Examples:
    """The first excerpts of each genre and their translations, for a page with players."""

    def __init__(self) -> None:
        self.sounds: dict[str, dict[str, Path]] = {}
        self.results: dict[str, dict[str, Any]] = {}

    def add(
        self, name: str, method: str, paths: list[Path], place: float, result: dict[str, Any]
    ) -> None:
        """Add a translation of the excerpt `name`, from the paths of original and translation."""
        original, translated = paths
        of_excerpt = self.sounds.setdefault(name, {name: original})
        of_excerpt[f"{name}, {method}"] = translated
        self.results[f"{name}, {method}"] = {"place": place, **result}

    def page(self) -> ResultSet:
        """Return the content of the page: each original is followed by its translations."""
        sounds = {name: path for each in self.sounds.values() for name, path in each.items()}
        return ResultSet("Translations between genres", sounds, self.results)


def _rows(
    compared: dict[str, Method],
    judge: NearestTags,
    held_out: tuple[list[Samples], list[Samples]],
    folder: Path,
    examples: Examples,
) -> Iterator[list[str]]:
    for source, target in ((0, 1), (1, 0)):
        before = [judge(clip, target) for clip in held_out[source]]
        for method_name, method in compared.items():
            where = folder / method_name.replace("/", "-") / f"to_{GENRES[target]}"
            where.mkdir(parents=True, exist_ok=True)
            results, judged = [], []
            for index, clip in enumerate(held_out[source]):
                output = method(clip, target)
                paths = [where / f"{index:02d}{end}.wav" for end in ("_original", "")]
                for path, wave in zip(paths, (clip, output), strict=True):
                    soundfile.write(path, wave, SAMPLE_RATE, "FLOAT")
                results.append(compare(*paths))
                judged.append(judge(output, target))
                if index < _EXAMPLES:
                    name = f"{GENRES[source]} {index + 1}"
                    examples.add(name, method_name, paths, judged[-1], results[-1])
            medians = (
                number(median(result[measure] for result in results), form)
                for measure, form in FORMS.items()
            )
            direction = f"{GENRES[source]} to {GENRES[target]}"
            judgment = (
                text
                for places in (before, judged)
                for text in (f"{mean(place > 0.5 for place in places):.0%}", f"{mean(places):.2f}")
            )
            yield [method_name, direction, *judgment, *medians]


if __name__ == "__main__":
    main()
