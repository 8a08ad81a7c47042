"""Options for the presentation of a result: as a figure, an HTML report or TensorBoard events."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tfdream.commands import options
from tfdream.reports.presentations import Presentations

_OPTIONS = (
    options.figure,
    click.option(
        "--report",
        type=options.PATH,
        help="Also write an HTML report here: players, spectrograms, measures and settings.",
    ),
    click.option(
        "--tensorboard",
        type=options.PATH,
        metavar="DIR",
        help="Also write TensorBoard events to this folder; the steps of an optimization are "
        "written as they happen.",
    ),
)
_VIDEO = click.option(
    "--video",
    type=options.PATH,
    metavar="OUT.mp4",
    help="Also write a video: the spectrogram of OUTPUT with a moving cursor, and its audio.",
)
_JUDGE = click.option(
    "--judge",
    type=options.RUN,
    metavar="RUN",
    help="A run folder of a classifier, or a preset; its probabilities for input and output "
    "join the measures.",
)


def result_options(changes: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the options; it receives them as one argument,
    `presentations`.

    Args:
      changes: include --judge and --video, for commands that change or generate audio.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_presentations(
            figure: Path | None,
            report: Path | None,
            tensorboard: Path | None,
            judge: Path | None = None,
            video: Path | None = None,
            **arguments: Any,
        ) -> Any:
            presentations = Presentations(figure, report, tensorboard, judge, video)
            if judge is not None and not presentations.has_measures:
                raise click.UsageError("--judge needs --report or --tensorboard")
            return function(presentations=presentations, **arguments)

        for option in reversed((*_OPTIONS, _VIDEO, _JUDGE) if changes else _OPTIONS):
            with_presentations = option(with_presentations)
        return with_presentations

    return decorate
