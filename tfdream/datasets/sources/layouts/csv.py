"""A CSV manifest that lists tracks with their labels, groups and folds."""

import csv
import io
import logging
import unicodedata
from pathlib import Path
from typing import Any, Literal

from tfdream import audio
from tfdream.datasets.sources.layouts.base import Layout, Match, whole_number
from tfdream.datasets.sources.tracks import Source, Track
from tfdream.errors import DatasetError

logger = logging.getLogger(__name__)

MANIFEST = "manifest.csv"
_COLUMNS = ("label", "path")
_DELIMITERS = ",;\t"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_REMEDY = "give a folder with one sub-folder per label, or a table with path,label,group"
_MAX_SHOWN = 100


class CsvLayout(Layout):
    """A CSV file with the columns path and label, and optionally group and fold.

    Cells are separated by commas, semicolons or tabs; the header shows which. The text is UTF-8,
    UTF-16 with a byte order mark, or Latin-1 if that is plausible for every cell.

    Paths are relative to the manifest, or absolute, and stay below its folder. A source is the
    file, or a folder with a ``manifest.csv``.
    """

    kind: Literal["csv"] = "csv"

    @classmethod
    def match(cls, source: Path) -> Match:
        is_manifest = source.is_file() or (source / MANIFEST).is_file()
        return Match.MANIFEST if is_manifest else Match.NONE

    def read(self, source: Path) -> Source:
        manifest = source / MANIFEST if source.is_dir() else source
        if manifest.suffix.lower() in audio.EXTENSIONS:
            raise DatasetError(f"'{source}' is an audio file; {_REMEDY}")
        try:
            return Source(sorted(_read_tracks(manifest)), [])
        except UnicodeDecodeError:
            raise DatasetError(
                f"'{manifest}' is not text in UTF-8 or Latin-1; {_REMEDY}, saved as CSV UTF-8"
            ) from None
        except (OSError, csv.Error) as error:
            raise DatasetError(f"manifest '{manifest}' cannot be read: {error}") from None


def _read_tracks(manifest: Path) -> list[Track]:
    root = manifest.parent.resolve()
    tracks: list[Track] = []
    paths: set[Path] = set()
    content = manifest.read_bytes()
    text, is_utf8 = _decode(content)
    rows = _open_table(manifest, text)
    for row in rows:
        location = f"'{manifest}' line {rows.line_num}"
        track = _parse_row(row, manifest.parent, location)
        if not (is_utf8 or _is_plausible(track)):
            raise DatasetError(
                f"{location} is neither UTF-8 nor Latin-1; save the manifest as CSV UTF-8"
            )
        resolved = track.path.resolve()  # slow, hence called once
        if not resolved.is_relative_to(root):
            raise DatasetError(f"{location}: path '{track.name}' is outside the manifest's folder")
        if resolved in paths:
            raise DatasetError(f"{location} lists '{track.name}' twice; a track has one row")
        paths.add(resolved)
        tracks.append(track)
    if not is_utf8:
        logger.warning("'%s' is not UTF-8; it is read as Latin-1", manifest)
    return tracks


def _decode(content: bytes) -> tuple[str, bool]:
    """Decode a manifest; return its text, and whether the encoding is certain."""
    if content.startswith(_UTF16_MARKS):  # "Unicode text" of spreadsheets
        return content.decode("utf-16"), True
    try:
        return content.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return content.decode("cp1252"), False  # Latin-1 and some more letters


def _is_plausible(track: Track) -> bool:
    """Return whether a row that was decoded as Latin-1 is right, as far as that can be checked.

    Text in another alphabet would be a row of accented letters; a path can be checked on disk.
    """
    if not track.name.isascii() and not track.path.exists():
        return False
    for text in (track.name, track.label, track.group):
        accented = [letter for letter in text if not letter.isascii()]
        plain = sum(letter.isascii() and letter.isalpha() for letter in text)
        if len(accented) > plain or not all(map(str.isalpha, accented)):
            return False
    return True


def _open_table(manifest: Path, text: str) -> "csv.DictReader[str]":
    """Return the rows of a table, whose header selects the delimiter.

    Raises:
      DatasetError: if it is not text, or a column is missing.
    """
    if any(letter < " " and letter not in "\t\r" for letter in text.partition("\n")[0]):
        raise DatasetError(f"'{manifest}' is not a text file; {_REMEDY}")
    columns: list[str] = []
    for delimiter in _DELIMITERS:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = [name.strip() for name in rows.fieldnames or ()]
        rows.fieldnames = [name.casefold() for name in names]
        if set(_COLUMNS) <= set(rows.fieldnames):
            return rows
        columns = max(columns, names, key=len)
    missing = [name for name in _COLUMNS if name not in map(str.casefold, columns)]
    raise DatasetError(
        f"'{manifest}' has no column {' and '.join(missing)}; the first line names the columns, "
        f"such as path,label,group, but is: {','.join(columns)[:_MAX_SHOWN]}"
    )


def _parse_row(row: dict[Any, Any], folder: Path, location: str) -> Track:
    if any(cell.strip() for cell in row.get(None, ())):
        raise DatasetError(
            f"{location} has more cells than the first line has columns; quote cells that contain "
            "the separator"
        )
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip()
    if not name or not label:
        raise DatasetError(f"{location} lacks a path or a label")
    if "\0" in name:
        raise DatasetError(f"{location}: path {name!r} is not valid")
    cell = (row.get("fold") or "").strip()
    fold = whole_number(cell)
    if cell and fold is None:
        raise DatasetError(f"{location}: fold '{cell[:20]}' is not a whole number from 0")
    group = (row.get("group") or "").strip() or name
    return Track(name, _locate(folder, name), label, group, fold)


def _locate(folder: Path, name: str) -> Path:
    """Return the path of a file whose accented letters may be composed in another way.

    Spreadsheets compose a letter and its accent; some systems store them as two characters.
    """
    path = folder / name
    if name.isascii() or path.exists():
        return path
    forms = (folder / unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    return next((form for form in forms if form.exists()), path)
