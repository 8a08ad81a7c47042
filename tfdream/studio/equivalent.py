"""Command line equivalent to a job."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfdream.studio.job import TASKS_OF, Job, beside
from tfdream.studio.tasks import TASKS

_OPTIONS = {
    "run": "--model",
    "unknown_below": "--unknown-below",
    "recipe": "--config",
    "to": "--to",
    "style": "--style",
    "start_seconds": "--start",
    "seconds": "--seconds",
    "save_every": "--save-every",
    "keep_falling": "--keep-falling",
    "part": "--part",
    "loop": "--loop",
    "bits": "--bits",
    "judge": "--judge",
}
"""Options of choices that are written as they are; predict has no option for the network."""


def arguments(job: Job, output: str | Path) -> list[str]:
    """Return the arguments of `tfdream` that do the same as a job.

    Args:
      job: the choices; recordings that are missing appear as the names of the arguments.
      output: file that the command writes.

    >>> arguments(Job("dream", "song.wav", recipe="dream/subtle", run="genres"), "out.flac")
    ['dream', 'song.wav', 'out.flac', '--model', 'genres', '--config', 'dream/subtle']
    """
    return [job.task, *map(_as_file, _positional(job, str(output))), *_options(job, str(output))]


def command(job: Job, output: str | Path | None = None) -> str:
    """Return the command as a line for a shell.

    Args:
      job: the choices.
      output: file that the command writes; by default `Job.output_name` in the current folder.

    >>> command(Job("predict", "my song.wav", run="genres"))
    "tfdream predict genres 'my song.wav'"
    >>> command(Job("predict", "-x.wav", run="genres"))
    'tfdream predict genres ./-x.wav'
    """
    return shlex.join(["tfdream", *arguments(job, output or job.output_name)])


def commands(jobs: Iterable[Job]) -> str:
    """Return one command in a line for each job; outputs of the same name are numbered.

    >>> print(commands([Job("generate", run="a"), Job("generate", run="a", seconds=4.0)]))
    tfdream generate a-generate.flac --model a
    tfdream generate a-generate-1.flac --model a --seconds 4.0
    """
    lines: dict[Path, str] = {}
    for number, job in enumerate(jobs):
        output = Path(job.output_name)
        numbered = (output.with_stem(f"{output.stem}-{count}") for count in range(1, number + 1))
        free = next(path for path in (output, *numbered) if path not in lines)
        lines[free] = command(job, free)
    return "\n".join(lines.values())


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


def _as_file(argument: str) -> str:
    """Return an argument that is no option, whatever the name of the file."""
    return f"./{argument}" if argument.startswith("-") else argument


def _options(job: Job, output: str) -> Iterator[str]:
    if job.task == "dream" and job.second:
        yield from ("--guide", job.second)
    if job.task == "generate" and job.first:
        yield from ("--prompt", job.first)
    for name, option in _OPTIONS.items():
        value = getattr(job, name)
        if not value or job.task not in TASKS_OF[name] or (name, job.task) == ("run", "predict"):
            continue
        yield option
        if value is not True:
            yield str(value)
    for name, path in job.stems if job.task in TASKS_OF["stems"] else ():
        yield from ("--stems", f"{name}={path}")
    if job.task in TASKS_OF["presentations"]:
        for presentation in job.made:
            yield from (f"--{presentation}", str(beside(output, presentation)))
    if TASKS[job.task].has_recipe:
        for override in job.overrides:
            yield from ("--set", override)
