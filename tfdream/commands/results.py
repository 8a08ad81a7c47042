"""Options for the presentation of a result: as a figure, an HTML report or TensorBoard events."""

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
    from tfdream.reports.tensorboard import EventWriter

STYLE = "style"
"""Name of the sound that a result should have the style of."""

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
        help="Also write TensorBoard events to this folder; steps are written as they happen.",
    ),
)
_JUDGE = click.option(
    "--judge",
    type=options.PATH,
    metavar="RUN",
    help="Run folder of a classifier; its probabilities before and after join the measures.",
)


@dataclass(frozen=True)
class ResultOutputs:
    """The requested presentations of a result.

    Attributes:
      figure: image file, or None.
      report: HTML file, or None.
      tensorboard: folder of events, or None.
      judge: run folder of a classifier whose probabilities join the measures, or None.
    """

    figure: Path | None
    report: Path | None
    tensorboard: Path | None
    judge: Path | None = None

    def __bool__(self) -> bool:
        return any((self.figure, self.report, self.tensorboard))

    @property
    def _has_measures(self) -> bool:
        """Whether an output contains measures."""
        return bool(self.report or self.tensorboard)

    def check(self) -> None:
        """Check before the work begins that all outputs can be written.

        Raises:
          ConfigError, ModelError: if an output has a wrong extension or cannot be written, or the
            judge is not the run of a classifier.
          UsageError: if there is a judge but no output that contains measures.
        """
        if self.judge is not None:
            if not self._has_measures:
                raise click.UsageError("--judge needs --report or --tensorboard")
            from tfdream.runs import Run

            Run.open(self.judge)
        if self.figure is not None:
            from tfdream.figures.parts import sheet

            sheet.check_writable(self.figure)
        if self.report is not None:
            from tfdream.reports import html

            html.check_writable(self.report)
        if self.tensorboard is not None:
            from tfdream.reports import tensorboard

            tensorboard.check_writable(self.tensorboard)

    def event_writer(self) -> "EventWriter":
        """Return the writer of TensorBoard events; it writes none if they are not requested."""
        from tfdream.reports.tensorboard import EventWriter

        return EventWriter(self.tensorboard)

    def write(self, results: "ResultSet", events: "EventWriter") -> None:
        """Write all requested outputs."""
        if self.figure is not None:
            from tfdream.figures.parts import sheet

            sheet.write(results.figure, self.figure)
        events.add_results(results)
        if self.report is not None:
            from tfdream.reports import html

            html.write(results, self.report)

    def measure_and_write(
        self,
        title: str,
        originals: Mapping[str, Path],
        results: Mapping[str, Result],
        events: "EventWriter",
        steps_label: str = "objective",
    ) -> None:
        """Measure the written files against the first original and write all requested outputs.

        Args:
          title: description of what was done.
          originals: audio files by name: the changed file first, if there is one, and the `STYLE`.
          results: the JSON objects of the command by name, each with its ``output``.
          events: the writer with the steps so far.
          steps_label: name of the quantity at each step.
        """
        if not self:
            return
        from tfdream.reports.result import ResultSet
        from tfdream.synthesis.rendering import sidecar

        outputs = {name: Path(result["output"]) for name, result in results.items()}
        measure = self._measure(originals)
        measured = {name: {**result, **measure(outputs[name])} for name, result in results.items()}
        settings = sidecar.read(next(iter(outputs.values())))
        settings.pop("result", None)
        sounds = {**originals, **outputs}
        self.write(
            ResultSet(title, sounds, measured, settings, command_line(), events.steps, steps_label),
            events,
        )

    def _measure(self, originals: Mapping[str, Path]) -> Callable[[Path], Result]:
        """Return the function that computes further measures of an output file."""
        if self._has_measures and originals:
            from tfdream.evaluation.compare import compare

            original = next(iter(originals.values()))
            measures = extra_measures(originals.get(STYLE), self.judge)
            return lambda output: compare(original, output, measures)
        if self._has_measures and self.judge is not None:
            from tfdream.evaluation.classification import predict
            from tfdream.runs import Run

            judge = Run.open(self.judge)

            def classify(output: Path) -> Result:
                (file,) = predict(judge, [output])["files"]
                return {name: file[name] for name in ("label", "probabilities")}

            return classify
        return lambda output: {}


def extra_measures(style: Path | None, judge: Path | None) -> "list[ExtraMeasure]":
    """Build the optional style and classifier measures.

    Args:
      style: audio file with the target style.
      judge: run folder of a classifier.
    """
    measures: list[ExtraMeasure] = []
    if style is not None:
        from tfdream.evaluation.measures.style import StyleDistance

        measures.append(StyleDistance(style))
    if judge is not None:
        from tfdream.evaluation.measures.classes import ClassMeasure
        from tfdream.runs import Run

        measures.append(ClassMeasure(Run.open(judge), style))
    return measures


def result_options(judge: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the options; it receives them as one argument, `outputs`.

    Args:
      judge: include the option --judge.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_outputs(
            figure: Path | None,
            report: Path | None,
            tensorboard: Path | None,
            judge: Path | None = None,
            **arguments: Any,
        ) -> Any:
            return function(outputs=ResultOutputs(figure, report, tensorboard, judge), **arguments)

        for option in reversed((*_OPTIONS, _JUDGE) if judge else _OPTIONS):
            with_outputs = option(with_outputs)
        return with_outputs

    return decorate
