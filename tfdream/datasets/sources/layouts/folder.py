"""A folder with one sub-folder per label."""

from pathlib import Path
from typing import Literal

from tfdream import audio
from tfdream.datasets.sources.layouts.base import Layout, Match
from tfdream.datasets.sources.tracks import Skipped, Source, Track
from tfdream.errors import DatasetError


class FolderLayout(Layout):
    """One sub-folder per label, of any depth below; each file is its own group."""

    kind: Literal["folder"] = "folder"

    @classmethod
    def match(cls, source: Path) -> Match:
        return Match.FALLBACK

    def read(self, source: Path) -> Source:
        if not source.is_dir():
            raise DatasetError(
                f"source '{source}' is not a folder; for a manifest use --layout csv"
            )
        return labeled_by_folder(source, source)


def labeled_by_folder(folder: Path, source: Path) -> Source:
    """List the files below a folder whose sub-folders are labels.

    Args:
      folder: contains a sub-folder for each label.
      source: track names are paths relative to it.
    """
    tracks, skipped = [], []
    for path in audio.files_below(folder):
        name = path.relative_to(source).as_posix()
        printable = name.encode(errors="backslashreplace").decode()
        label, *below = path.relative_to(folder).parts
        if name != printable:
            skipped.append(Skipped(printable, "its name is not valid Unicode; rename it"))
        elif not below:
            skipped.append(Skipped(name, "not inside the sub-folder of a label"))
        elif path.suffix.lower() not in audio.EXTENSIONS:
            skipped.append(
                Skipped(name, f"'{path.suffix}' is not the extension of an audio format")
            )
        else:
            tracks.append(Track(name, path, label, group=name))
    return Source(tracks, skipped)
