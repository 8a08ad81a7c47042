"""The journal of an unfinished dataset: it lists the shards that are written.

The journal is a folder with one file per shard. Each file is written atomically, so that shards may
be finished by several processes, on several machines, and in any order.
"""

import json
import shutil
from pathlib import Path

from tfdream.config import validate
from tfdream.datasets.preparation.shards import WrittenShard
from tfdream.errors import DatasetError
from tfdream.io.atomic import write_text

FOLDER = ".journal"


class Journal:
    """The finished shards of an unfinished dataset.

    Args:
      folder: folder of the dataset.
      fingerprint: digest of its settings and source.

    Raises:
      DatasetError: if the folder has the journal of a dataset with another fingerprint.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder.absolute() / FOLDER
        path = self.folder / "fingerprint"
        if path.exists() and path.read_text(encoding="utf-8") != fingerprint:
            raise settings_differ(folder)
        write_text(path, fingerprint)

    def add(self, written: WrittenShard) -> None:
        """Record a finished shard."""
        write_text(self.folder / f"{written.number:05d}.json", written.model_dump_json())

    def read(self) -> list[WrittenShard]:
        """Return the finished shards, by number."""
        entries = (json.loads(path.read_bytes()) for path in self.folder.glob("[0-9]*.json"))
        shards = [validate(entry, WrittenShard, f"'{self.folder}'") for entry in entries]
        return sorted(shards, key=lambda written: written.number)


def remove_journal(folder: Path) -> None:
    """Remove the journal of a dataset that is finished or discarded."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def settings_differ(folder: Path) -> DatasetError:
    """Return the error for a folder with another dataset, finished or not."""
    return DatasetError(
        f"'{folder}' contains a dataset with other settings or another state of the source; "
        "use another folder, or --force to replace it"
    )
