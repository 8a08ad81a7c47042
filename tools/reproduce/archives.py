"""Small composed corpora in the layouts of the archives that the documents use."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from tfdream.audio import Samples
from tfdream.corpus.styles import STYLES, compose

# Columns of FMA's tracks.csv that are read, of about fifty.
_FMA_COLUMNS = (("set", "split"), ("set", "subset"), ("artist", "id"), ("track", "genre_top"))
_FMA_GENRES = ("Rock", "Electronic", "Classical", "Hip-Hop", "Pop")
_FMA_SPLITS = ("training", "training", "validation", "test")


def songs(
    count: int, seconds: float, sample_rate: int, genres: Sequence[str]
) -> Iterator[tuple[str, int, Samples]]:
    """Yield genre, number and samples of songs: each genre has the style of its position."""
    for place, genre in enumerate(genres):
        for number in range(count):
            seed = 100 * place + number
            style = STYLES[place % len(STYLES)]
            yield genre, number, compose(style, seed, seconds, sample_rate).mean(axis=1)


def fma(folder: Path) -> None:
    """Compose ``fma_medium/000/000002.mp3`` and ``fma_metadata/tracks.csv``: five genres."""
    rate, seconds = 22050, 9.0
    rows = []
    tracks = songs(len(_FMA_SPLITS), seconds, rate, _FMA_GENRES)
    for number, (genre, place, samples) in enumerate(tracks, start=2):
        path = folder / "fma_medium" / "000" / f"{number:06d}.mp3"
        _write(path, samples, rate, format="MP3")
        rows.append([number, _FMA_SPLITS[place], "medium", number, genre])
    table = folder / "fma_metadata" / "tracks.csv"
    table.parent.mkdir(parents=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        parts, names = zip(*_FMA_COLUMNS, strict=True)
        blanks = [""] * len(names)
        csv.writer(file).writerows([["", *parts], ["", *names], ["track_id", *blanks], *rows])


def gtzan(folder: Path) -> None:
    """Compose ``genres/classical/classical.00000.wav``: four genres."""
    for genre, number, samples in songs(5, 5.0, 22050, ("blues", "classical", "jazz", "metal")):
        _write(folder / "genres" / genre / f"{genre}.{number:05d}.wav", samples, 22050)


def mixes(folder: Path) -> None:
    """Compose one long mix per genre, ``lofi/mix.wav``: five genres."""
    songs_per_mix, seconds = 3, 10.0
    parts: dict[str, list[Samples]] = {}
    genres = ("future_bass", "hardstyle", "house", "lofi", "trap")
    for genre, _, samples in songs(songs_per_mix, seconds, 22050, genres):
        parts.setdefault(genre, []).append(samples)
    for genre, all_parts in parts.items():
        _write(folder / genre / "mix.wav", np.concatenate(all_parts), 22050)


def playlists(folder: Path) -> None:
    """Compose two playlists, ``c_pop/00.mp3``."""
    for genre, number, samples in songs(11, 25.0, 8000, ("c_pop", "melodic_death_metal")):
        _write(folder / genre / f"{number:02d}.mp3", samples, 8000, format="MP3")


def _write(path: Path, samples: Samples, rate: int, **options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
