"""The journal of an unfinished dataset: which of its shards are written.

It is a folder with a file for every shard, each of which appears whole, so that shards may be
finished by several processes, on several machines, and in any order.
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
    """The finished shards of `folder`, which is going to hold the dataset of `fingerprint`.

    Raises:
      DatasetError: if another dataset was begun there.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder.absolute() / FOLDER
        owner = self.folder / "fingerprint"
        if owner.exists() and owner.read_text(encoding="utf-8") != fingerprint:
            raise other_settings(folder)
        write_text(owner, fingerprint)

    def add(self, written: WrittenShard) -> None:
        """Note a finished shard."""
        write_text(self.folder / f"{written.number:05d}.json", written.model_dump_json())

    def read(self) -> list[WrittenShard]:
        """The finished shards, in their order."""
        found = (json.loads(path.read_bytes()) for path in self.folder.glob("[0-9]*.json"))
        shards = [validate(content, WrittenShard, f"'{self.folder}'") for content in found]
        return sorted(shards, key=lambda written: written.number)


def clear(folder: Path) -> None:
    """Remove the journal of `folder`, if there is one: its dataset is finished, or given up."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def other_settings(folder: Path) -> DatasetError:
    """What is wrong with a folder that holds another dataset, or a part of one."""
    return DatasetError(
        f"'{folder}' holds a dataset of other settings or another state of the source; "
        "name another folder or use --force to replace it"
    )
