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
from tfdream.commands.results import ResultOutputs
from tfdream.commands.stops import interruptible
from tfdream.io.progress import ProgressFn

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
class Job:
    """Callbacks of a running command.

    Attributes:
      report: shows the progress, records the curve, and returns whether a stop is requested.
      events: writer of TensorBoard events.
      stop_requested: returns whether Ctrl-C was pressed.
    """

    report: ProgressFn
    events: "EventWriter"
    stop_requested: Callable[[], bool]


@contextmanager
def job(
    work: str, unit: str, outputs: ResultOutputs, curve: str | None = None, sign: int = 1
) -> Iterator[Job]:
    """Show the progress of a command, which Ctrl-C stops.

    Args:
      work: name of the work.
      unit: unit of the steps.
      outputs: presentations of the result.
      curve: name of the value of each step; None if it has none.
      sign: factor of the value.
    """
    with (
        progress_bar(work, unit) as progress,
        outputs.event_writer() as events,
        interruptible() as stop_requested,
    ):

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            if curve is not None and not math.isnan(value):  # NaN: nothing is optimized
                events.add_step(sign * value, curve)
                note = f"{curve} {sign * value:.4g}"
            progress(done, total, note=note)
            return stop_requested()

        yield Job(report, events, stop_requested)


def is_folder(sources: list[Path], output: Path, outputs: ResultOutputs, name: str) -> bool:
    """Return whether the outputs are written into a folder.

    Args:
      sources: the audio files, or folders of them.
      output: the file or folder.
      outputs: presentations of the result, which need a single file.
      name: name of the argument with the sources.

    Raises:
      UsageError: if `output` is named like a file or is standard output, or a presentation is
        requested.
    """
    from tfdream import audio

    if standard_output.is_named(output):
        if len(sources) > 1 or sources[0].is_dir():
            raise click.UsageError(
                f"OUTPUT - is standard output and takes one file; several {name}, or a folder, "
                "need a folder"
            )
        return False
    if len(sources) == 1 and not sources[0].is_dir() and not output.is_dir():
        return False
    if audio.is_writable(output.suffix.lower()) and not output.is_dir():
        raise click.UsageError(
            f"OUTPUT '{output}' has the extension of a file; several {name}, or a folder, need a "
            "folder"
        )
    if outputs:
        raise click.UsageError(
            f"--figure, --report, --tensorboard and --video need one {name} and one OUTPUT file"
        )
    return True
