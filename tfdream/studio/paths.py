"""Paths of jobs: relative to the current folder where they are used, and stored independent of it.

Files in the folder of the history are stored relative to that folder, others with absolute paths.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfdream.io.paths import absolute
from tfdream.runs.named import locate
from tfdream.studio.job import Job

_RECORDINGS = ("first", "second", "style")
_NAMES = ("recipe", "run", "judge")


def shortest(path: str | Path) -> Path:
    """Return a path relative to the current folder if the file is in it, otherwise absolute."""
    complete = absolute(path)
    here = Path.cwd()
    return complete.relative_to(here) if complete.is_relative_to(here) else complete


def as_used(name: str) -> str:
    """Return the `shortest` path of a run or a recipe; names of packaged ones do not change."""
    return str(shortest(name)) if _is_path(name) else name


def store_job(job: Job, folder: str | Path) -> dict[str, Any]:
    """Return a job as JSON content in the history of a folder."""

    def as_stored(name: str) -> str:
        return str(absolute(name)) if _is_path(name) else name

    return _converted(job.as_json(), lambda path: _stored(path, folder), as_stored)


def restore_job(content: Mapping[str, Any], folder: str | Path) -> Job:
    """Return the job that `store_job` stored."""
    return Job.from_json(_converted(content, lambda path: _restored(path, folder), as_used))


def store_result(result: Mapping[str, Any], folder: str | Path) -> dict[str, Any]:
    """Return the result of a job as JSON content in the history of a folder."""
    return _with_outputs(result, lambda path: _stored(path, folder))


def restore_result(content: Mapping[str, Any], folder: str | Path) -> dict[str, Any]:
    """Return the result that `store_result` stored."""
    return _with_outputs(content, lambda path: _restored(path, folder))


def _converted(
    job: Mapping[str, Any],
    convert_file: Callable[[str], str],
    convert_name: Callable[[str], str],
) -> dict[str, Any]:
    """Convert the files of a job, and its recipe and runs, which are names or paths."""
    recordings = {key: convert_file(job[key]) for key in _RECORDINGS if job[key]}
    names = {key: convert_name(job[key]) for key in _NAMES if job[key]}
    stems = [[name, convert_file(path)] for name, path in job["stems"]]
    return {**job, **recordings, **names, "stems": stems}


def _with_outputs(result: Mapping[str, Any], convert: Callable[[str], str]) -> dict[str, Any]:
    converted = dict(result)
    if "output" in result:
        converted["output"] = convert(result["output"])
    if "snapshots" in result:
        converted["snapshots"] = [convert(path) for path in result["snapshots"]]
    return converted


def _stored(path: str, folder: str | Path) -> str:
    complete, root = absolute(path), absolute(folder)
    return complete.relative_to(root).as_posix() if complete.is_relative_to(root) else str(complete)


def _restored(path: str, folder: str | Path) -> str:
    return str(shortest(Path(folder) / path))


def _is_path(name: str) -> bool:
    """Return whether a run or a recipe is given by its path."""
    path = Path(name)
    return path.is_file() or (path.is_dir() and locate(name) == path) or path.is_absolute()
