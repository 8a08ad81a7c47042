"""The command that does the same as a job."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from tfdream.studio.tasks import TASKS, Job


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
    if job.run and job.task != "predict":
        yield from ("--model", job.run)
    if job.task == "predict" and job.unknown_below is not None:
        yield from ("--unknown-below", f"{job.unknown_below:g}")
    if not TASKS[job.task].has_recipe:
        return
    yield from ("--config", job.recipe)
    if job.task == "dream" and job.second:
        yield from ("--guide", job.second)
    if job.task == "generate" and job.first:
        yield from ("--prompt", job.first)
    if job.task == "translate" and job.to:
        yield from ("--to", job.to)
    if job.task == "dream" and job.start_seconds:
        yield from ("--start", repr(job.start_seconds))
    if job.task in ("dream", "generate") and job.seconds is not None:
        yield from ("--seconds", repr(job.seconds))
    if job.task in ("dream", "transfer") and job.keep_falling:
        yield "--keep-falling"
    if job.bits is not None:
        yield from ("--bits", str(job.bits))
    for override in job.overrides:
        yield from ("--set", override)
