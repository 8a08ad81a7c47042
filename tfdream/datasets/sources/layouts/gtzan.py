"""GTZAN in its original folders, and its filtered split."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from tfdream.datasets.sources.layouts.base import Layout, Match
from tfdream.datasets.sources.layouts.folder import labeled_by_folder
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


class GtzanLayout(Layout):
    """GTZAN: ten genres of a hundred excerpts, ``genres_original/<genre>/<genre>.00000.wav``.

    The folder of the genres may also be named ``genres``, as in the first distribution, or be the
    source itself, and the files may be ``.au``. Each excerpt is its own group: the collection does
    not list artists, although some artists and recordings occur repeatedly. The filtered split
    separates these and leaves out the faulty excerpts.

    Source: Tzanetakis and Cook, "Musical Genre Classification of Audio Signals", 2002. The filtered
    split: Kereliuk, Sturm and Larsen, "Deep Learning and Music Adversaries", 2015.
    """

    kind: Literal["gtzan"] = "gtzan"
    splits: Path | None = Field(
        None,
        description="Folder with train_filtered.txt, valid_filtered.txt and test_filtered.txt, "
        "GTZAN's filtered split.",
    )
    """Lists of lines such as ``blues/blues.00029.wav``. Files in no list are skipped and reported;
    the test list is fold 0, the validation list fold 1 and the training list fold 2."""

    @classmethod
    def match(cls, source: Path) -> Match:
        return Match.NONE if genres_folder(source) is None else Match.COLLECTION

    def read(self, source: Path) -> Source:
        """List the excerpts.

        Raises:
          DatasetError: if the genres are not found, or a split list is missing or damaged.
        """
        folder = genres_folder(source)
        if folder is None:
            raise DatasetError(
                f"source '{source}' has no file such as genres_original/blues/blues.00000.wav; "
                "name the folder that contains genres_original, genres, or the ten genres"
            )
        tracks, skipped = labeled_by_folder(folder, source)
        complete = Source([track._replace(group=_excerpt(track.name)) for track in tracks], skipped)
        return complete if self.splits is None else _apply_split(complete, self.splits)


def genres_folder(source: Path) -> Path | None:
    """Return the folder of the genres, detected by the names of its files, or None."""
    for folder in (source / name for name in _FOLDERS):
        for genre in _GENRES:
            if any(_EXCERPT.fullmatch(path.name) for path in folder.glob(f"{genre}/{genre}.*")):
                return folder
    return None


def _excerpt(name: str) -> str:
    """Return ``blues/blues.00029`` for any path and extension: a .wav and its .au are one group."""
    match = _EXCERPT.fullmatch(name)
    return f"{match[2]}/{match[1]}" if match else name


def _apply_split(source: Source, splits: Path) -> Source:
    """Assign the fold of its split list to each track; tracks in no list are skipped."""
    list_of = _read_lists(splits)
    tracks, skipped = [], list(source.skipped)
    for track in source.tracks:
        if track.group in list_of:
            tracks.append(track._replace(fold=_LISTS[list_of[track.group]]))
        else:
            skipped.append(Skipped(track.name, f"in no split list of '{splits}'"))
    for excerpt in sorted(list_of.keys() - {track.group for track in tracks}):
        skipped.append(Skipped(excerpt, f"in {list_of[excerpt]}, but not in the source"))
    return Source(tracks, skipped)


def _read_lists(splits: Path) -> dict[str, str]:
    """Return the name of the split list of each excerpt."""
    list_of: dict[str, str] = {}
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
            location = f"'{path}' line {number}: '{line.strip()}'"
            if not _EXCERPT.fullmatch(line.strip()):
                raise DatasetError(f"{location} is not a name such as blues/blues.00029.wav")
            other = list_of.setdefault(_excerpt(line.strip()), name)
            if other != name:
                raise DatasetError(
                    f"{location} is in {other} too; an excerpt in two lists would be in the "
                    "training and the test data"
                )
    return list_of
