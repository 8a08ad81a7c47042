"""Transfer styles between eight pairs of real recordings, and measure the results.

    python tools/bench/real_transfers.py MUSIC --recipe transfer/timbre --recipe transfer/texture

MUSIC is the folder of the collection *music*. The content is 30 to 40 s of a track, the style 20 to
30 s of a track of another collection, both mono at 44.1 kHz. There is no correct result: the table
has the distance to the style's random features next to what should remain of the content, and
--figure draws one over the other. With --outputs, the files are written there for listening.
"""

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import soundfile
from matplotlib.figure import Figure
from tables import PATH, median, number, print_table
from transfer_pairs.methods import BASE, BASELINES, RECIPE_HELP, Method, recipe
from transfer_pairs.scores import SAMPLE_RATE

from tfdream.audio import Samples
from tfdream.audio.excerpts import clip
from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare
from tfdream.evaluation.measures.style import StyleDistance
from tfdream.figures.parts.sheet import write

PAIRS = {
    "castle": ("epic_orchestral/*Castle_Black*", "scifi_electronic/*Futuristic_junk*"),
    "chip": ("scifi_electronic/*8bit*", "epic_orchestral/*City_of_Sand*"),
    "beat": ("hiphop_beats/*dumdumdum*", "rpg_score/*goldenvalley*"),
    "town": ("rpg_score/*Caketown*", "hiphop_beats/*Ripper*"),
    "sea": ("rpg_score/*seafight*", "scifi_electronic/*red_doors2*"),
    "space": ("scifi_electronic/*space_0*", "rpg_score/*heroism*"),
    "victory": ("epic_orchestral/*Road_to_Victory*", "dungeon_game/*caves_1*"),
    "caves": ("dungeon_game/*caves_3*", "hiphop_beats/*DontMatter*"),
}
SECONDS, CONTENT_START, STYLE_START = 10, 30, 20
FORMS = {
    "style_distance_before": ".3f",
    "style_distance_after": ".3f",
    "onset_correlation": ".2f",
    "content_chroma_similarity": ".2f",
    "flatness_change_db": "+.1f",
    "floor_rise_db": "+.1f",
    "loudness_change_lu": "+.1f",
    "seconds": ".2f",
}
PRESERVED = {
    "onset correlation with the content": "onset_correlation",
    "chroma similarity to the content": "content_chroma_similarity",
    "rise of the noise floor, dB": "floor_rise_db",
}
Measured = dict[str, float | None]
"""The measures of a method on a pair, by name; `seconds` per second of audio."""

HEAD = (
    "method", "pair", "style distance before", "after", "onsets", "chroma", "flatness, dB",
    "floor, dB", "loudness, LU", "s per s of audio",
)  # fmt: skip


class Recordings(NamedTuple):
    """Content and style of a pair, float32 `[samples]` at 44.1 kHz, as `Pair` names them."""

    content: Samples
    style: Samples


def load(music: Path, pair: str) -> Recordings:
    """Read both recordings of a pair."""
    found = []
    for pattern, start in zip(PAIRS[pair], (CONTENT_START, STYLE_START), strict=True):
        paths = list(music.glob(pattern))
        if len(paths) != 1:
            raise click.ClickException(f"'{music}' has {len(paths)} files {pattern}, not one")
        found.append(clip(paths[0], start, SECONDS * SAMPLE_RATE, SAMPLE_RATE))
    return Recordings(*found)


def measure(method: Method, recordings: Recordings, output: Path) -> Measured:
    """Write the result of a method, and return its measures."""
    start = time.perf_counter()
    result = method(recordings)  # type: ignore[arg-type]  # methods without a target need no more
    seconds = (time.perf_counter() - start) / SECONDS
    with tempfile.TemporaryDirectory() as folder:
        content, style = Path(folder) / "content.wav", Path(folder) / "style.wav"
        for path, wave in zip((content, style), recordings, strict=True):
            soundfile.write(path, wave, SAMPLE_RATE, "FLOAT")
        soundfile.write(output, result, SAMPLE_RATE, "FLOAT")
        change = compare(content, output, [StyleDistance(style)])
    return {name: change.get(name) for name in FORMS} | {"seconds": seconds}


@click.command()
@click.argument("music", type=PATH)
@click.option("--recipe", "recipes", multiple=True, help=RECIPE_HELP)
@click.option("--outputs", type=PATH, help="Write the results to this folder.")
@click.option("--figure", type=PATH, help="Draw what is preserved over the distance to the style.")
def main(music: Path, recipes: tuple[str, ...], outputs: Path | None, figure: Path | None) -> None:
    """Print a row for each pair and method, and one with the medians of each method."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = outputs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            baselines = {name: BASELINES[name] for name in ("copied style", BASE)}
            methods = baselines | {name: recipe(name) for name in recipes}
            results: dict[str, list[Measured]] = {name: [] for name in methods}
            print_table(HEAD, rows(music, methods, folder, results), words=2)
        except TfdreamError as error:
            raise click.ClickException(str(error)) from None
    if figure:
        write(draw(results), figure)


def rows(
    music: Path, methods: dict[str, Method], folder: Path, results: dict[str, list[Measured]]
) -> Iterator[list[str]]:
    """Run every method on every pair, append its measures to `results`, and yield them as text."""
    for name, method in methods.items():
        for pair in PAIRS:
            output = folder / f"{pair}-{re.sub(r'[^a-z0-9]+', '-', name)}.wav"
            results[name].append(measure(method, load(music, pair), output))
            yield [name, pair, *cells(results[name][-1])]
    for name, measured in results.items():
        yield [
            name,
            "median",
            *cells({key: median(each[key] for each in measured) for key in FORMS}),
        ]


def cells(measured: Measured) -> list[str]:
    """Return formatted measures, in the order of the table."""
    return [number(measured[name], form) for name, form in FORMS.items()]


def draw(results: dict[str, list[Measured]]) -> Figure:
    """Draw medians of what is preserved over those of the distance to the style, with quartiles."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    for axis, (label, name) in zip(
        figure.subplots(1, len(PRESERVED)), PRESERVED.items(), strict=True
    ):
        for method, measured in results.items():
            x = median(each["style_distance_after"] for each in measured)
            low, y, high = np.percentile([each[name] for each in measured], (25, 50, 75))
            axis.errorbar(x, y, [[y - low], [high - y]], marker="o", capsize=3, label=method)
        axis.set_xlabel("distance to the style")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


if __name__ == "__main__":
    main()
