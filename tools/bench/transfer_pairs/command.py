"""The command: evaluate methods on pairs and print Markdown tables."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import click
import numpy as np
from tables import PATH, number, print_table

from tfdream.errors import ModelError, TfdreamError
from transfer_pairs.measures import FloatArray, Measures, Reference, TagEmbedding, Transcriber
from transfer_pairs.methods import BASE, BASELINES, RECIPE_HELP, Method, recipe
from transfer_pairs.pairs import SPLITS, Pair, PairSet, Split
from transfer_pairs.scores import SECONDS
from transfer_pairs.soundfont import DEFAULT_SOUNDFONT

HEAD = (
    "method", "spectrum, dB", "vs. equalizer", "timbre", "vs. equalizer", "× equalizer",
    "timbre to style", "embedding", "vs. equalizer", "notes", "vs. equalizer", "onsets",
    "vs. equalizer", "floor, dB", "floor in both, dB", "loudness, LU", "s per s of audio",
)  # fmt: skip
GROUPS = ("all", "composer", "soundfont", "melodic", "polyphonic", "drums")
Measure = TypeVar("Measure")
_RESAMPLES = 2000
_CONFIDENCE_PERCENT = 95


class Row(NamedTuple):
    """The measures of a method on a pair, and the seconds that it took."""

    pair: str
    method: str
    measures: Measures
    seconds: float


@click.command()
@click.option("--recipe", "recipes", multiple=True, help=RECIPE_HELP)
@click.option("--split", type=click.Choice(SPLITS), default="tuning", show_default=True)
@click.option("--every", type=click.IntRange(1), default=1, help="Use every N-th pair.")
@click.option("--start", type=click.IntRange(0), default=0, help="Index of the first pair.")
@click.option("--cache", type=PATH, help="Folder of rendered pairs; they are rendered if absent.")
@click.option("--soundfont", type=PATH, default=DEFAULT_SOUNDFONT, show_default=True)
@click.option("--json", "json_path", type=PATH, help="Also write the measures of every pair.")
def main(
    recipes: tuple[str, ...],
    split: Split,
    every: int,
    start: int,
    cache: Path | None,
    soundfont: Path,
    json_path: Path | None,
) -> None:
    """Print a table for all pairs, and one for each source and kind of material."""
    try:
        methods = BASELINES | {name: recipe(name) for name in recipes}
        pairs = PairSet(split, cache, soundfont)
        names = pairs.names[start::every]
        rows = list(evaluate(methods, pairs, names))
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None
    except (ImportError, OSError) as error:  # music21 or FluidSynth is not installed
        raise click.ClickException(f"{error}; see docs/benchmarks.md") from None
    report(
        rows,
        {
            f"{split}, {group}": [
                row for row in rows if group == "all" or group in row.pair.split("-")
            ]
            for group in GROUPS
        },
        json_path,
    )


def report(rows: list[Row], groups: dict[str, list[Row]], json_path: Path | None) -> None:
    """Write all measures to a file, if there is one, and print a table for each group."""
    if json_path:
        content = [{**row._asdict(), "measures": row.measures._asdict()} for row in rows]
        json_path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for title, selected in groups.items():
        if selected:
            count = len({row.pair for row in selected})
            print(f"\n{title}: {count} pairs\n")
            print_table(HEAD, table(selected), words=1)


class Pairs(Protocol):
    """A source of pairs by name."""

    def read(self, name: str) -> Pair:
        """Return a pair."""


def evaluate(methods: dict[str, Method], pairs: Pairs, names: list[str]) -> Iterator[Row]:
    """Run all methods on pairs, and measure their outputs."""
    transcriber = _available(Transcriber, "notes")
    embedding = _available(TagEmbedding, "embeddings")
    for index, name in enumerate(names):
        pair = pairs.read(name)
        reference = Reference(pair, transcriber, embedding)
        for method, run in methods.items():
            started = time.perf_counter()
            output = run(pair)
            seconds = time.perf_counter() - started
            yield Row(name, method, reference.measure(output), seconds)
        click.echo(f"{index + 1} of {len(names)}: {name}", err=True)


def _available(build: Callable[[], Measure], name: str) -> Measure | None:
    """Return what measures something, unless a part of it is not installed."""
    try:
        return build()
    except (ImportError, ModelError) as error:
        click.echo(f"{error}: {name} are not measured; see docs/benchmarks.md", err=True)
        return None


def table(rows: list[Row]) -> Iterator[list[str]]:
    """Yield the formatted means of each method, and its differences to the equalizer."""
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        base = [row for row in rows if row.method == BASE]

        def mean(name: str, form: str, of: list[Row] = own) -> str:
            return number(_mean(_values(of, name)), form)

        def versus(name: str, form: str, of: list[Row] = own, to: list[Row] = base) -> str:
            return difference(_values(of, name), _values(to, name), form)

        timbre, base_timbre = (_mean(_values(of, "timbre")) or 0 for of in (own, base))
        seconds = float(np.median([row.seconds for row in own])) / SECONDS
        yield [
            method,
            mean("spectrum_db", ".2f"),
            versus("spectrum_db", "+.2f"),
            mean("timbre", ".1f"),
            versus("timbre", "+.1f"),
            number(timbre / base_timbre if base_timbre else None, ".2f"),
            mean("timbre_to_style", ".1f"),
            mean("embedding", ".3f"),
            versus("embedding", "+.3f"),
            mean("notes", ".3f"),
            versus("notes", "+.3f"),
            mean("onsets", ".3f"),
            versus("onsets", "+.3f"),
            mean("floor_db", "+.1f"),
            mean("floor_in_both_db", "+.1f"),
            mean("loudness_lu", "+.1f"),
            f"{seconds:.2f}",
        ]


def _values(rows: list[Row], name: str) -> list[float | None]:
    return [getattr(row.measures, name) for row in rows]


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def difference(values: list[float | None], base: list[float | None], form: str) -> str:
    """Format the mean difference of paired values, with its bootstrap interval over pairs."""
    paired = [
        value - other
        for value, other in zip(values, base, strict=True)
        if value is not None and other is not None
    ]
    if not any(paired):
        return "–"
    low, high = bootstrap_interval(np.array(paired))
    return f"{np.mean(paired):{form}} [{low:{form}}, {high:{form}}]"


def bootstrap_interval(differences: FloatArray) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over resampled pairs."""
    rng = np.random.default_rng(0)
    picks = rng.integers(len(differences), size=(_RESAMPLES, len(differences)))
    tail = (100 - _CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(differences[picks].mean(axis=1), (tail, 100 - tail))
    return float(low), float(high)
