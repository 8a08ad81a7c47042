"""Events of a job that its worker sends: progress, previews, and the end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """Progress of a job: finished and all steps, and the optimized value or NaN."""

    done: int
    total: int
    value: float


@dataclass(frozen=True)
class Preview:
    """An intermediate result: the step, its start in the file, a wav file and a PNG file."""

    step: int
    start_seconds: float
    sound: Path
    picture: Path


@dataclass(frozen=True)
class Written:
    """The result of a job, with its audio file if it has one, is complete; presentations follow."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The end of a job with its result."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """The end of a job with an error.

    Attributes:
      message: text of the error; empty if the job was cancelled.
      ends_process: an unexpected exception ends the process that carried out the job.
    """

    message: str
    ends_process: bool = False


Event = Step | Preview | Written | Finished | Failed
"""An event of a job; the last one is `Finished` or `Failed`."""
