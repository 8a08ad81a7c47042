"""Progress, interruption and output folders of the commands that change or generate audio."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfdream.commands import standard_output
from tfdream.commands.console import Result, progress_bar
from tfdream.commands.stops import interruptible
from tfdream.io.progress import ProgressFn
from tfdream.reports.presentations import Presentations

if TYPE_CHECKING:
    from tfdream.reports.tensorboard import EventWriter

keep_falling = click.option(
    "--keep-falling",
    is_flag=True,
    help="Write the change of passages where the objective is worse than before, too; by default "
    "they stay unchanged.",
)


def has_skipped(result: Result) -> bool:
    """Return whether some of several files could not be processed."""
    return bool(result.get("skipped"))


@dataclass(frozen=True)
class Callbacks:
    """Callbacks of a running command.

    Attributes:
      progress: shows the progress, records the values, and returns whether a stop is requested.
      stop_requested: returns whether Ctrl-C was pressed.
    """

    progress: ProgressFn
    stop_requested: Callable[[], bool]


@contextmanager
def job(
    work: str,
    unit: str,
    events: "EventWriter | None" = None,
    value_name: str | None = None,
    sign: int = 1,
) -> Iterator[Callbacks]:
    """Show the progress of a command, which Ctrl-C stops.

    Close it before presentations are written: they do not poll for a stop, and Ctrl-C interrupts
    them at once.

    Args:
      work: name of the work.
      unit: unit of the steps.
      events: receives the value of each step.
      value_name: name of that value; None if the steps have none.
      sign: factor of the value.
    """
    with progress_bar(work, unit) as show, interruptible() as stop_requested:

        def progress(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            if value_name is not None and not math.isnan(value):  # NaN: nothing is optimized
                if events is not None:
                    events.add_step(sign * value, value_name)
                note = f"{value_name} {sign * value:.4g}"
            show(done, total, note=note)
            return stop_requested()

        yield Callbacks(progress, stop_requested)


def is_folder(sources: list[Path], output: Path, presentations: Presentations, name: str) -> bool:
    """Return whether the outputs are written into a folder.

    Args:
      sources: the audio files, or folders of them.
      output: the file or folder.
      presentations: presentations of the result, which need a single file.
      name: name of the argument with the sources.

    Raises:
      UsageError: if `output` is named like a file or is standard output, or a presentation is
        requested.
    """
    from tfdream import audio

    given = f"several {name} need" if len(sources) > 1 else f"a folder as {name} needs"
    if standard_output.is_named(output):
        if len(sources) > 1 or sources[0].is_dir():
            raise click.UsageError(
                f"OUTPUT - is standard output and takes one file; {given} a folder"
            )
        return False
    if len(sources) == 1 and not sources[0].is_dir() and not output.is_dir():
        return False
    if audio.is_writable(output.suffix.lower()) and not output.is_dir():
        raise click.UsageError(f"OUTPUT '{output}' has the extension of a file; {given} a folder")
    if presentations:
        raise click.UsageError(
            f"--figure, --report, --tensorboard and --video need one file as {name} and one as "
            "OUTPUT"
        )
    return True
