"""Finished jobs: one folder each, with the output, its sidecar, the settings and the result."""

import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tfdream.errors import ConfigError
from tfdream.io import documents
from tfdream.io.atomic import write_json, write_text
from tfdream.studio.equivalent import command
from tfdream.studio.job import Job, beside
from tfdream.studio.paths import as_used, restore_job, restore_result, store_job, store_result
from tfdream.studio.tasks import TASKS, load

_ENTRY_FILE = "job.json"
SETTINGS_FILE = "settings.yaml"
_UNFINISHED = ".unfinished"
"""Mark of the folder of a job that has not ended; only folders with it are ever removed."""
_FILES_OF_JOBS = (_ENTRY_FILE, _UNFINISHED)
_LOCK = ".lock"
_NUMBERED = re.compile(r"(\d+)-")


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep a folder for this process while the block runs; it is created.

    The lock is that of an empty SQLite database, which the system releases when the process ends,
    however it ends.

    Raises:
      ConfigError: if the folder cannot be written, or another process has locked it.
    """
    _create(folder)
    try:
        database = sqlite3.connect(Path(folder) / _LOCK, timeout=0)
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ConfigError(
                f"folder '{folder}' is used by another tfdream studio; end that one, or use "
                "another folder"
            ) from None
        raise ConfigError(f"folder '{folder}' cannot be written: {error}") from None
    with closing(database):
        yield


@dataclass(frozen=True)
class Entry:
    """A finished job.

    Attributes:
      folder: folder of the entry; its name starts with the number of the job.
      job: the choices.
      result: the JSON object of the command.
      finished: local date and time of the end, in ISO 8601.
    """

    folder: Path
    job: Job
    result: Mapping[str, Any]
    finished: str

    @property
    def name(self) -> str:
        """Name of the entry, which is unique within the history."""
        return self.folder.name

    @property
    def output_path(self) -> Path:
        """Path of the audio file, or for a task without one, what presentations are named after.

        It does not depend on the recipe, which may have changed since.
        """
        output = self.result.get("output")
        return self.folder / (Path(output).name if output else self.job.output_name)

    @property
    def output(self) -> Path | None:
        """The audio file; None if the task writes none, or the file was removed."""
        path = self.output_path
        return path if TASKS[self.job.task].writes_audio and path.is_file() else None

    @property
    def settings_path(self) -> Path:
        """YAML file that the option --config accepts, or the choices of a job without recipe."""
        return self.folder / SETTINGS_FILE

    @property
    def report_path(self) -> Path:
        """The report page, which exists if it was requested."""
        return self.presentation("report")

    @property
    def same_job(self) -> Job:
        """The job with the settings of this entry.

        If its recipe was changed or removed since, the recipe is the file of the settings.
        """
        job = self.job
        if not job.recipe:
            return job
        try:
            settings = load(job.task, str(self.settings_path))
        except ConfigError:  # the user removed or changed it
            return job
        try:
            is_same = job.settings == settings
        except ConfigError:
            is_same = False
        return (
            job if is_same else replace(job, recipe=as_used(str(self.settings_path)), overrides=())
        )

    def presentation(self, name: str) -> Path:
        """Return the file of a presentation, which exists if it was requested."""
        return beside(self.output_path, name)

    @property
    def title(self) -> str:
        """Name of the entry with recipe, seed, time, and whether it was stopped.

        >>> job = Job("predict", "song.wav", run="genres")
        >>> Entry(Path("0003-song-predict"), job, {}, "2026-05-04T10:20:30").title
        '0003-song-predict, 10:20'
        """
        parts = [self.name]
        if self.job.recipe:
            parts.append(Path(self.job.recipe).stem)
        seeds = [each for each in self.job.overrides if each.startswith("seed=")]
        parts += [each.replace("=", " ") for each in seeds]
        parts.append(self.finished[11:16])
        return ", ".join(parts) + (" (stopped)" if self.result.get("interrupted") else "")


class History:
    """The finished jobs of a folder.

    Args:
      folder: folder of the jobs; it is created.

    Raises:
      ConfigError: if it cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        _create(folder)
        for path in self._folders():
            if not (path / _UNFINISHED).is_file():
                continue
            if (path / _ENTRY_FILE).is_file():
                self.release(path)
            else:  # of a process that was killed
                shutil.rmtree(path, ignore_errors=True)

    def reserve(self, job: Job) -> Path:
        """Create the folder of a job, with a new number, and return it."""
        number = max((_number(path) for path in self._folders()), default=0) + 1
        stem = Path(job.output_name).stem
        while True:
            path = self.folder / f"{number:04d}-{stem}"
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                (path / _UNFINISHED).touch()
                return path

    def add(self, folder: Path, job: Job, result: Mapping[str, Any]) -> Entry:
        """Record a finished job; from then on its folder is part of the history."""
        entry = Entry(folder, job, result, datetime.now().isoformat(timespec="seconds"))
        settings = job.settings
        content = job.as_json() if settings is None else settings.model_dump(mode="json")
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        write_text(entry.settings_path, f"# {command(job)}\n{text}")
        write_json(
            folder / _ENTRY_FILE,
            {
                "job": store_job(job, self.folder),
                "command": command(job),
                "finished": entry.finished,
                "result": store_result(result, self.folder),
            },
        )
        self.release(folder)
        return entry

    def release(self, folder: Path) -> None:
        """Remove the mark of an unfinished job, with which a later start deletes the folder."""
        (folder / _UNFINISHED).unlink(missing_ok=True)

    def discard(self, folder: Path) -> None:
        """Remove the folder of a job with everything in it."""
        shutil.rmtree(folder, ignore_errors=True)

    def entries(self) -> list[Entry]:
        """Return the finished jobs, the last one first; damaged entries are left out."""
        found = []
        for path in self._folders():
            try:
                content = documents.read_json(path / _ENTRY_FILE)
                job = restore_job(content["job"], self.folder)
                result = restore_result(content["result"], self.folder)
                found.append(Entry(path, job, result, content["finished"]))
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                continue
        return sorted(found, key=lambda entry: -_number(entry.folder))

    def find(self, name: str) -> Entry:
        """Return a finished job by its name.

        Raises:
          ConfigError: if there is none.
        """
        for entry in self.entries():
            if entry.name == name:
                return entry
        raise ConfigError(f"there is no result '{name}' anymore; choose another one")

    def _folders(self) -> Iterator[Path]:
        """Yield the folders of jobs; other folders, of any name, are those of the user."""
        for path in self.folder.iterdir():
            if _number(path) and any((path / file).is_file() for file in _FILES_OF_JOBS):
                yield path


def _create(folder: str | Path) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigError(
            f"'{folder}' is not a folder; name one for recordings and results, and load recordings "
            "on the page"
        ) from None
    except OSError as error:
        raise ConfigError(f"folder '{folder}' cannot be created: {error.strerror}") from None


def _number(folder: Path) -> int:
    match = _NUMBERED.match(folder.name)
    return int(match[1]) if match else 0
