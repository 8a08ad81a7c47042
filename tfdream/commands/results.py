"""Options that show a result: as a figure, as a page, in TensorBoard."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command_line

if TYPE_CHECKING:
    from tfdream.evaluation.compare import ExtraMeasure
    from tfdream.reports.result import ResultSet
    from tfdream.reports.tensorboard import Board

STYLE = "style"
"""What a sound is called whose style was wanted."""

_OPTIONS = (
    options.figure,
    click.option(
        "--report",
        type=options.PATH,
        help="Also write a page here (html): players, spectrograms, measures in words, settings.",
    ),
    click.option(
        "--tensorboard",
        type=options.PATH,
        metavar="DIR",
        help="Also write TensorBoard's events there, those of the steps as they go.",
    ),
)
_JUDGE = click.option(
    "--judge",
    type=options.PATH,
    metavar="RUN",
    help="A classifier whose verdicts before and after are shown with the measures.",
)


@dataclass(frozen=True)
class ResultOutputs:
    """What was asked for."""

    figure: Path | None
    report: Path | None
    tensorboard: Path | None
    judge: Path | None = None

    def __bool__(self) -> bool:
        return any((self.figure, self.report, self.tensorboard))

    @property
    def _measured(self) -> bool:
        """Whether measures are shown, and not only pictures."""
        return bool(self.report or self.tensorboard)

    def check(self) -> None:
        """See, before the work begins, that it can be written.

        Raises:
          ConfigError, ModelError: if a name has another extension than its format or can never be
            written, or the judge is no classifier.
          UsageError: if there is a judge, and nothing that shows what it says.
        """
        if self.judge is not None:
            if not self._measured:
                raise click.UsageError("--judge goes with --report or --tensorboard")
            from tfdream.runs import Run

            Run.open(self.judge)
        if self.figure is not None:
            from tfdream import figures

            figures.check_writable(self.figure)
        if self.report is not None:
            from tfdream.reports import html

            html.check_writable(self.report)
        if self.tensorboard is not None:
            from tfdream.reports import tensorboard

            tensorboard.check_writable(self.tensorboard)

    def board(self) -> "Board":
        """Where the steps go."""
        from tfdream.reports.tensorboard import Board

        return Board(self.tensorboard)

    def show(self, exhibit: "ResultSet", board: "Board") -> None:
        """Show what is there."""
        if self.figure is not None:
            exhibit.draw(self.figure)
        board.show(exhibit)
        if self.report is not None:
            from tfdream.reports import html

            html.write(exhibit, self.report)

    def show_results(
        self,
        title: str,
        originals: Mapping[str, Path],
        results: Mapping[str, Result],
        board: "Board",
        steps_label: str = "objective",
    ) -> None:
        """Measure what was made, beside what it was made of, and show both.

        Args:
          title: what was done to what.
          originals: recordings by what they are: that which was changed first, if there is one, and
            perhaps the `STYLE` that was wanted.
          results: the JSON objects of the command by what they are, each with its ``output``.
          board: where the steps went.
          steps_label: what the value of a step is.
        """
        if not self:
            return
        from tfdream.reports.result import ResultSet
        from tfdream.synthesis.rendering.process import read_sidecar

        outputs = {name: Path(result["output"]) for name, result in results.items()}
        measure = self._measure(originals)
        measured = {name: {**result, **measure(outputs[name])} for name, result in results.items()}
        settings = read_sidecar(next(iter(outputs.values())))
        settings.pop("result", None)
        sounds = {**originals, **outputs}
        self.show(
            ResultSet(title, sounds, measured, settings, command_line(), board.steps, steps_label),
            board,
        )

    def _measure(self, originals: Mapping[str, Path]) -> Callable[[Path], Result]:
        """What there is to tell of a file beside what the command told."""
        if self._measured and originals:
            from tfdream.evaluation.compare import compare

            original = next(iter(originals.values()))
            asked = opinions(originals.get(STYLE), self.judge)
            return lambda output: compare(original, output, asked)
        if self._measured and self.judge is not None:
            from tfdream.evaluation.classification import predict
            from tfdream.runs import Run

            judge = Run.open(self.judge)

            def heard(output: Path) -> Result:
                (file,) = predict(judge, [output])["files"]
                return {name: file[name] for name in ("label", "probabilities")}

            return heard
        return lambda output: {}


def opinions(style: Path | None, judge: Path | None) -> "list[ExtraMeasure]":
    """Whom to ask beside the measures.

    Args:
      style: a recording whose style is wanted.
      judge: the run of a classifier.
    """
    found: list[ExtraMeasure] = []
    if style is not None:
        from tfdream.evaluation.measures.style import StyleDistance

        found.append(StyleDistance(style))
    if judge is not None:
        from tfdream.evaluation.measures.classes import ClassMeasure
        from tfdream.runs import Run

        found.append(ClassMeasure(Run.open(judge), style))
    return found


def showing(judged: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options; it gets them as one argument, `showing`.

    Args:
      judged: whether the command can have a judge this way.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def gathered(
            figure: Path | None,
            report: Path | None,
            tensorboard: Path | None,
            judge: Path | None = None,
            **arguments: Any,
        ) -> Any:
            return function(showing=ResultOutputs(figure, report, tensorboard, judge), **arguments)

        for option in reversed((*_OPTIONS, _JUDGE) if judged else _OPTIONS):
            gathered = option(gathered)
        return gathered

    return decorate
