"""Transfer styles between eight pairs of real recordings, and measure the results.

    python tools/bench/real_transfers.py MUSIC --recipe transfer/timbre --recipe transfer/texture

MUSIC is the folder of the collection *music*. The content is 30 to 40 s of a track, the style 20 to
30 s of a track of another collection, both mono at 44.1 kHz. There is no correct result: the table
has the distance to the style's random features next to what should remain of the content. With
--outputs, the files are written there for listening.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import soundfile
from tables import PATH, number, print_table
from transfer_pairs.methods import BASE, BASELINES, Method, recipe
from transfer_pairs.scores import SAMPLE_RATE

from tfdream.audio import Samples
from tfdream.audio.excerpts import clip
from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare
from tfdream.evaluation.measures.style import StyleDistance

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
}
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


def measure(method: Method, recordings: Recordings, output: Path) -> list[str]:
    """Write the result of a method, and return its measures as text."""
    start = time.perf_counter()
    result = method(recordings)  # type: ignore[arg-type]  # methods without a target need no more
    seconds = (time.perf_counter() - start) / SECONDS
    with tempfile.TemporaryDirectory() as folder:
        content, style = Path(folder) / "content.wav", Path(folder) / "style.wav"
        for path, wave in zip((content, style), recordings, strict=True):
            soundfile.write(path, wave, SAMPLE_RATE, "FLOAT")
        soundfile.write(output, result, SAMPLE_RATE, "FLOAT")
        change = compare(content, output, [StyleDistance(style)])
    return [*(number(change.get(name), form) for name, form in FORMS.items()), f"{seconds:.2f}"]


@click.command()
@click.argument("music", type=PATH)
@click.option("--recipe", "recipes", multiple=True, help="A packaged recipe. Repeatable.")
@click.option("--outputs", type=PATH, help="Write the results to this folder.")
def main(music: Path, recipes: tuple[str, ...], outputs: Path | None) -> None:
    """Print a row for each pair and method."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = outputs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            baselines = {name: BASELINES[name] for name in ("copied style", BASE)}
            methods = baselines | {name: recipe(name) for name in recipes}
            print_table(HEAD, rows(music, methods, folder), words=2)
        except TfdreamError as error:
            raise click.ClickException(str(error)) from None


def rows(music: Path, methods: dict[str, Method], folder: Path) -> Iterator[list[str]]:
    """Run every method on every pair."""
    for name, method in methods.items():
        for pair in PAIRS:
            output = folder / f"{pair}-{name.replace('/', '-')}.wav"
            yield [name, pair, *measure(method, load(music, pair), output)]


if __name__ == "__main__":
    main()
