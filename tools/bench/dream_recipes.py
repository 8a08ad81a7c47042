"""Compare dream recipes on excerpts of songs: how far the sound moves, and how much of it is kept.

    python tools/bench/dream_recipes.py FOLDER OUTPUT --model RUN \
        --recipe subtle=dream/subtle --recipe "24 dB=dream/recommended,canvas.bound_db=24"

Songs are taken from FOLDER and its sub-folders in turn. Every recipe is a name or path, with
overrides after commas, and is used with every network. A row has the median over the excerpts, and
the worst value in brackets. With --baselines, changes of the size of the first recipe's follow that
use no network: random gains with the same blur, and an equalizer with the recipe's mean gains.
"""

import itertools
import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import soundfile
from corpora import recordings
from numpy.typing import NDArray
from scipy import signal
from scipy.ndimage import gaussian_filter
from tables import PATH, number, print_table

from tfdream import audio, config
from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare

N_FFT, HOP_SAMPLES = 4096, 1024  # of the baselines, at 44.1 kHz
RANGE_DB = 80.0


@dataclass(frozen=True)
class Column:
    """A measure of the table: its name, number format, and which of its values is the worst."""

    name: str
    form: str
    worst: Any


def farthest(values: Iterable[float]) -> float:
    return max(values, key=abs)


COLUMNS = {
    "objective, rendered / before": Column("ratio", ".2f", min),
    "rendered / after": Column("kept", ".2f", min),
    "spectrum, dB": Column("log_spectral_distance_db", ".1f", min),
    "chroma": Column("content_chroma_similarity", ".2f", min),
    "onsets": Column("onset_correlation", ".2f", min),
    "floor, dB": Column("floor_rise_db", "+.1f", max),
    "flatness, dB": Column("flatness_change_db", "+.1f", max),
    "loudness, LU": Column("loudness_change_lu", "+.1f", farthest),
    "p(target), second network": Column("target", "+.2f", min),
    "s per s": Column("speed", ".2f", max),
}


def songs_in(folder: Path, count: int) -> list[Path]:
    """Return songs of a folder, one from each sub-folder in turn."""
    grouped = itertools.groupby(recordings(folder), lambda path: path.parent)
    by_folder = [list(group) for _, group in grouped]
    rounds = itertools.zip_longest(*(spread(group, count) for group in by_folder))
    return [path for path in itertools.chain(*rounds) if path is not None][:count]


def spread(paths: list[Path], count: int) -> list[Path]:
    """Return at most `count` of the paths, far apart in the list."""
    return [paths[i * len(paths) // count] for i in range(count)] if len(paths) > count else paths


def excerpt(song: Path, output: Path, seconds: float) -> Path:
    """Write a part of a song that starts after a third of it."""
    path = output / "originals" / f"{song.parent.name}_{song.stem}.wav"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        samples, rate = audio.read(song)
        start = int(max(0, (len(samples) - seconds * rate) / 3))
        soundfile.write(path, samples[start : start + int(seconds * rate)], rate, subtype="PCM_24")
    return path


@cache
def network(name: str) -> Any:
    from tfdream.runs import Run

    return Run.open(name)


@cache
def class_measure(judge: str) -> Any:
    from tfdream.evaluation.measures.classes import ClassMeasure

    return ClassMeasure(network(judge))


def dream(original: Path, output: Path, run: str, recipe: config.DreamConfig) -> dict[str, Any]:
    """Dream an excerpt and return the result of the command."""
    from tfdream.synthesis.rendering.options import RenderOptions

    output.parent.mkdir(parents=True, exist_ok=True)
    return dreamer(run, recipe.model_dump_json())(original, output, RenderOptions(force=True))


@cache
def dreamer(run: str, recipe: str) -> Any:
    from tfdream.synthesis.dream import Dreamer

    return Dreamer(network(run), config.DreamConfig.model_validate_json(recipe))


def measures(
    original: Path, changed: Path, result: dict[str, Any], judge: str | None
) -> dict[str, Any]:
    """Return the values of all columns for a changed excerpt."""
    before, after = result["objective_before"], result["objective_after"]
    change = compare(original, changed)
    target = None
    label = target_label(result["objective"])
    if judge and label in network(judge).labels:
        classes = class_measure(judge)(original, changed)
        target = classes["probabilities_after"][label] - classes["probabilities_before"][label]
    return {
        **change,
        "ratio": result["objective_rendered"] / before if before > 0 else None,
        "kept": result["objective_rendered"] / after if after > 0 else None,
        "speed": result["compute_seconds"] / result["audio_seconds"],
        "target": target,
    }


def target_label(objective: str) -> str | None:
    """Return the label of an objective `class_logit(label)`.

    >>> target_label("class_logit('hip hop')")
    'hip hop'
    """
    name, _, argument = objective.partition("(")
    return argument.rstrip(")").strip("'\"") if name == "class_logit" else None


def row(name: str, values: list[dict[str, Any]]) -> list[str]:
    """Return a row of the table: the median of each column, and its worst value."""
    cells = [name]
    for column in COLUMNS.values():
        known = [each[column.name] for each in values if each.get(column.name) is not None]
        if not known:
            cells.append("–")
            continue
        median, worst = statistics.median(known), column.worst(known)
        cells.append(f"{number(median, column.form)} [{number(worst, column.form)}]")
    return cells


# Baselines


def change_levels(original: Path, output: Path, gains_db: Any) -> None:
    """Write a file with gains on its STFT.

    Args:
      original: the file.
      output: the changed file, as loud as the original.
      gains_db: levels in dB `[bins, frames]`, hertz and seconds of the cells → gains in dB.
    """
    samples, rate = soundfile.read(original, always_2d=True)
    settings = {"fs": rate, "nperseg": N_FFT, "noverlap": N_FFT - HOP_SAMPLES}
    hertz, seconds, mid = signal.stft(samples.mean(axis=1), **settings)
    gain = 10 ** (gains_db(level_db(mid), hertz, seconds) / 20)
    _, changed = signal.istft(signal.stft(samples.T, **settings)[2] * gain, **settings)
    changed = changed.T[: len(samples)]
    before, after = (
        np.mean(signal.sosfilt(audio.k_weighting(rate), each, axis=0) ** 2)
        for each in (samples, changed)
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(output, changed * np.sqrt(before / after), rate, subtype="FLOAT")


def level_db(stft: NDArray[Any]) -> NDArray[Any]:
    power = np.abs(stft) ** 2
    floor = power.max() * 10 ** (-RANGE_DB / 10)
    levels: NDArray[Any] = 10 * np.log10(np.maximum(power, max(floor, 1e-20)))
    return levels


def mean_gains(original: Path, changed: Path) -> NDArray[Any]:
    """Return the mean over time of the gains in dB between two files, `[bins, 1]`."""
    levels = []
    for path in (original, changed):
        samples, rate = soundfile.read(path, always_2d=True)
        mid = samples.mean(axis=1)
        levels.append(
            level_db(signal.stft(mid, rate, nperseg=N_FFT, noverlap=N_FFT - HOP_SAMPLES)[2])
        )
    gains: NDArray[Any] = (levels[1] - levels[0]).mean(axis=1, keepdims=True)
    return gains


def random_gains(original: Path, dreamt: Path, canvas: Any, seed: int = 0) -> Any:
    """Return a function for `change_levels`: noise with the blur of a canvas.

    Its size moves the spectrum as far as a dream does.
    """
    target_db = compare(original, dreamt)["log_spectral_distance_db"]
    trial = dreamt.with_suffix(".trial.wav")

    def gains(size_db: float) -> Any:
        def at(levels: NDArray[Any], hertz: NDArray[Any], seconds: NDArray[Any]) -> NDArray[Any]:
            noise = np.random.default_rng(seed).standard_normal(levels.shape)
            blur = (canvas.blur_hz / hertz[1], canvas.blur_seconds / (seconds[1] - seconds[0]))
            noise = gaussian_filter(noise, blur)
            return noise * size_db / noise.std()

        return at

    size_db = target_db
    for _ in range(3):  # softer cells than the range of the measure count less
        change_levels(original, trial, gains(size_db))
        size_db *= target_db / compare(original, trial)["log_spectral_distance_db"]
    trial.unlink()
    return gains(size_db)


def constant_gains(gains_db: NDArray[Any]) -> Any:
    """Return a function for `change_levels`: the same gains for all levels."""
    return lambda levels, hertz, seconds: gains_db


def objective_of(run: str, recipe: config.DreamConfig, original: Path, path: Path) -> float:
    """Return the objective of a file, the mean over its tiles."""
    from tfdream.synthesis.rendering.tiles import tile_pairs

    optimizer = dreamer(run, recipe.model_dump_json()).prepare(original)
    total = weight = 0.0
    for before, after in tile_pairs(original, path, optimizer.sample_rate, optimizer.grid):
        total += float((optimizer.compare(before, after)["objective"] * before.weights).sum())
        weight += float(before.weights.sum())
    return total / weight


def baselines(
    originals: list[Path], dreams: list[Path], run: str, recipe: config.DreamConfig, output: Path
) -> Iterator[list[str]]:
    """Yield the rows of the changes that use no network."""
    names = ("unchanged", "random gains of the same size", "equalizer with the mean gains")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for original, dreamt in zip(originals, dreams, strict=True):
        changes = (
            constant_gains(np.zeros(())),
            random_gains(original, dreamt, recipe.canvas),
            constant_gains(mean_gains(original, dreamt)),
        )
        for name, change in zip(names, changes, strict=True):
            path = output / "baselines" / f"{name.split()[0]}_{original.name}"
            change_levels(original, path, change)
            before = objective_of(run, recipe, original, original)
            after = objective_of(run, recipe, original, path)
            rows[name].append({**compare(original, path), "ratio": after / before})
    for name in names:
        yield row(name, rows[name])


# Command


def parse_recipe(text: str) -> tuple[str, config.DreamConfig]:
    """Return the title and the settings of TITLE=NAME[,KEY=VALUE...]."""
    title, _, rest = text.partition("=")
    name, *overrides = rest.split(",")
    return title, config.load(name, config.DreamConfig, overrides)


@click.command()
@click.argument("folder", type=PATH)
@click.argument("output", type=PATH)
@click.option("--model", "runs", multiple=True, required=True, help="A network. Repeatable.")
@click.option("--recipe", "recipes", multiple=True, required=True, help="TITLE=NAME[,KEY=VALUE…]")
@click.option("--judge", help="A second network, for objectives class_logit(label).")
@click.option("--songs", type=int, default=10, show_default=True)
@click.option("--seconds", type=float, default=15.0, show_default=True)
@click.option("--baselines", "with_baselines", is_flag=True)
def main(
    folder: Path,
    output: Path,
    runs: tuple[str, ...],
    recipes: tuple[str, ...],
    judge: str | None,
    songs: int,
    seconds: float,
    with_baselines: bool,
) -> None:
    """Print a Markdown table, with a row per network and recipe."""
    try:
        parsed = [parse_recipe(text) for text in recipes]
        originals = [excerpt(song, output, seconds) for song in songs_in(folder, songs)]

        def rows() -> Iterator[list[str]]:
            for run, (title, recipe) in itertools.product(runs, parsed):
                place = output / Path(run).name / title.replace(" ", "_").replace("/", "-")
                values, paths = [], []
                for original in originals:
                    paths.append(place / original.with_suffix(".flac").name)
                    result = dream(original, paths[-1], run, recipe)
                    values.append(measures(original, paths[-1], result, judge))
                (place / "measures.json").write_text(json.dumps(values, indent=1))
                yield row(f"{Path(run).name}: {title}", values)
                if with_baselines and (run, title) == (runs[0], parsed[0][0]):
                    yield from baselines(originals, paths, run, recipe, output)

        print_table(("recipe", *COLUMNS), rows(), words=1)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
