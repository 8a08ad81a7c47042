"""The command that does the same as a job."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from tfdream.studio.tasks import TASKS, Job

_CHANGES = ("dream", "transfer", "translate")
_TASKS_OF = {
    "--model": (*_CHANGES, "generate", "compare"),
    "--unknown-below": ("predict",),
    "--config": (*_CHANGES, "generate"),
    "--guide": ("dream",),
    "--prompt": ("generate",),
    "--to": ("translate",),
    "--start": ("dream",),
    "--seconds": ("dream", "generate"),
    "--keep-falling": ("dream", "transfer"),
    "--part": _CHANGES,
    "--loop": _CHANGES,
    "--bits": (*_CHANGES, "generate"),
}
"""Commands that have an option."""


def arguments(job: Job, output: str | Path) -> list[str]:
    """Return the arguments of `tfdream` that do the same as a job.

    Args:
      job: the choices; recordings that are missing appear as the names of the arguments.
      output: file that the command writes.

    >>> arguments(Job("dream", "song.wav", recipe="dream/subtle", run="genres"), "out.flac")
    ['dream', 'song.wav', 'out.flac', '--model', 'genres', '--config', 'dream/subtle']
    """
    return [job.task, *_positional(job, str(output)), *_options(job)]


def command(job: Job, output: str | Path | None = None) -> str:
    """Return the command as a line for a shell.

    Args:
      job: the choices.
      output: file that the command writes; by default `Job.output_name` in the current folder.

    >>> command(Job("predict", "my song.wav", run="genres"))
    "tfdream predict genres 'my song.wav'"
    """
    return shlex.join(["tfdream", *arguments(job, output or job.output_name)])


def _positional(job: Job, output: str) -> list[str]:
    first, second = job.first or "AUDIO", job.second
    if job.task == "generate":
        return [output]
    if job.task == "predict":
        return [job.run or "RUN", first, *([second] if second else [])]
    if job.task == "compare":
        return [first, second or "RESULT"]
    if job.task == "transfer":
        return [first, second or "STYLE", output]
    return [first, output]


def _options(job: Job) -> Iterator[str]:
    values = {
        "--model": job.run,
        "--unknown-below": job.unknown_below,
        "--config": job.recipe,
        "--guide": job.second,
        "--prompt": job.first,
        "--to": job.to,
        "--start": job.start_seconds or None,
        "--seconds": job.seconds,
        "--keep-falling": job.keep_falling,
        "--part": job.part,
        "--loop": job.loop,
        "--bits": job.bits,
    }
    for option, value in values.items():
        is_given = value is not None and value is not False and value != ""
        if is_given and job.task in _TASKS_OF[option]:
            yield option
            if value is not True:
                yield str(value)
    if TASKS[job.task].has_recipe:
        for override in job.overrides:
            yield from ("--set", override)
