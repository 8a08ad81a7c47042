"""GTZAN as it comes, with the split that its users agree on."""

import re
from pathlib import Path

from tfdream.datasets.sources.folders import labeled_by_folder
from tfdream.datasets.sources.tracks import (
    TEST_FOLD,
    TRAINING_FOLD,
    VALIDATION_FOLD,
    Skipped,
    Source,
)
from tfdream.errors import DatasetError

_FOLDERS = ("genres_original", "genres", ".")
_GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip
_EXCERPT = re.compile(r"(?:.*/)?(([a-z]+)\.\d{5})(?:\.\w+)?")
_LISTS = {
    "test_filtered.txt": TEST_FOLD,
    "valid_filtered.txt": VALIDATION_FOLD,
    "train_filtered.txt": TRAINING_FOLD,
}


def read(source: Path, splits: Path | None = None) -> Source:
    """GTZAN: ten genres of a hundred excerpts, ``genres_original/<genre>/<genre>.00000.wav``.

    The folder of the genres may also be called ``genres``, as in the first distribution, or be the
    source itself, and the files may be ``.au``. Each excerpt is a group: the collection does not
    say who plays, and is known to repeat artists and recordings. The filtered split keeps these
    apart and leaves the faulty excerpts out.

    Args:
      source: the folder that was unpacked.
      splits: a folder with train_filtered.txt, valid_filtered.txt and test_filtered.txt, of lines
        such as ``blues/blues.00029.wav``. Files in none of them are left out, and reported; the
        test list is fold 0, the validation list fold 1 and the training list fold 2.

    Raises:
      DatasetError: if the genres are not found, or a list is missing or does not hold together.

    Source: Tzanetakis and Cook, "Musical Genre Classification of Audio Signals", 2002. The filtered
    split: Kereliuk, Sturm and Larsen, "Deep Learning and Music Adversaries", 2015.
    """
    place = genres_folder(source)
    if place is None:
        raise DatasetError(
            f"source '{source}' holds no file such as genres_original/blues/blues.00000.wav; name "
            "the folder that holds genres_original, genres, or the ten genres"
        )
    tracks, skipped = labeled_by_folder(place, source)
    found = Source([track._replace(group=_excerpt(track.name)) for track in tracks], skipped)
    return found if splits is None else _split(found, splits)


def genres_folder(source: Path) -> Path | None:
    """The folder of the genres, known by the names of the files in them."""
    for place in (source / name for name in _FOLDERS):
        for genre in _GENRES:
            if any(_EXCERPT.fullmatch(path.name) for path in place.glob(f"{genre}/{genre}.*")):
                return place
    return None


def _excerpt(name: str) -> str:
    """``blues/blues.00029``, whatever it is encoded as: so the group of its .wav and its .au."""
    match = _EXCERPT.fullmatch(name)
    return f"{match[2]}/{match[1]}" if match else name


def _split(found: Source, splits: Path) -> Source:
    """Give the tracks the folds of their lists; those in none are skipped."""
    listed = _lists(splits)
    tracks, skipped = [], list(found.skipped)
    for track in found.tracks:
        if track.group in listed:
            tracks.append(track._replace(fold=_LISTS[listed[track.group]]))
        else:
            skipped.append(Skipped(track.name, f"in no split list of '{splits}'"))
    for excerpt in sorted(listed.keys() - {track.group for track in tracks}):
        skipped.append(Skipped(excerpt, f"in {listed[excerpt]}, but not in the source"))
    return Source(tracks, skipped)


def _lists(splits: Path) -> dict[str, str]:
    """Excerpt → the list that it stands in."""
    found: dict[str, str] = {}
    for name in _LISTS:
        path = splits / name
        if not path.is_file():
            raise DatasetError(
                f"'{path}' does not exist; --splits names a folder with {', '.join(_LISTS)}"
            )
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"split list '{path}' cannot be read: {error}") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"'{path}' line {number}: '{line.strip()}'"
            if not _EXCERPT.fullmatch(line.strip()):
                raise DatasetError(f"{place} is no name such as blues/blues.00029.wav")
            other = found.setdefault(_excerpt(line.strip()), name)
            if other != name:
                raise DatasetError(
                    f"{place} is in {other} too; an excerpt in two lists would be trained and "
                    "tested on"
                )
    return found
