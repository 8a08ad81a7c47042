"""Options for the presentation of a result: as a figure, an HTML report or TensorBoard events."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command_line
from tfdream.errors import AudioError

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
      video: video file, or None.
    """

    figure: Path | None
    report: Path | None
    tensorboard: Path | None
    judge: Path | None = None
    video: Path | None = None

    def __bool__(self) -> bool:
        return any((self.figure, self.report, self.tensorboard, self.video))

    @property
    def _has_measures(self) -> bool:
        """Whether an output contains measures."""
        return bool(self.report or self.tensorboard)

    def check(
        self, original: Path | None = None, start_seconds: float = 0.0, seconds: float | None = None
    ) -> None:
        """Check before the work begins that all outputs can be made and written.

        Args:
          original: the file that the result will be compared with, if there is one.
          start_seconds: start of the part of it that is processed.
          seconds: length of that part; None extends it to the end.

        Raises:
          AudioError: if the original cannot be read, or is too short to be compared.
          ConfigError, ModelError: if an output has a wrong extension or cannot be written, or the
            judge is not the run of a classifier.
          UsageError: if there is a judge but no output that contains measures.
        """
        if self._has_measures and original is not None:
            _check_length(original, start_seconds, seconds)
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
        if self.video is not None:
            from tfdream.reports import video

            video.check_writable(self.video)
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
        measured = {name: _add_measures(result, measure) for name, result in results.items()}
        settings = sidecar.read(next(iter(outputs.values())))
        settings.pop("result", None)
        sounds = {**originals, **outputs}
        self.write(
            ResultSet(title, sounds, measured, settings, command_line(), events.steps, steps_label),
            events,
        )
        if self.video is not None:
            from tfdream.reports import video

            *_, last = results.values()
            video.write(self.video, [*last.get("snapshots", []), last["output"]])

    def _measure(self, originals: Mapping[str, Path]) -> Callable[[Path], Result]:
        """Return the function that computes further measures of an output file."""
        if self._has_measures and originals:
            from tfdream.evaluation.compare import compare

            original = next(iter(originals.values()))

            @functools.cache
            def extra() -> "list[ExtraMeasure]":
                return extra_measures(originals.get(STYLE), self.judge)

            return lambda output: compare(original, output, extra())
        if self._has_measures and self.judge is not None:
            from tfdream.evaluation.classification import predict
            from tfdream.runs import Run

            judge = Run.open(self.judge)

            def classify(output: Path) -> Result:
                (file,) = predict(judge, [output])["files"]
                return {name: file[name] for name in ("label", "probabilities")}

            return classify
        return lambda output: {}


def _add_measures(result: Result, measure: Callable[[Path], Result]) -> Result:
    """Return a result with the measures of its output; without any, a note with the reason."""
    try:
        further = measure(Path(result["output"]))
    except AudioError as error:  # the output is finished, and a page without measures is useful
        further = {"notes": [f"not measured: {error}"]}
    return {**result, **further, "notes": [*result.get("notes", []), *further.get("notes", [])]}


def _check_length(original: Path, start_seconds: float, seconds: float | None) -> None:
    """Raise AudioError if a part of a file is too short for the measures of a report."""
    from tfdream import audio
    from tfdream.evaluation.compare import MIN_SECONDS

    length = audio.count_samples(original) / audio.info(original).sample_rate - start_seconds
    length = length if seconds is None else min(length, seconds)
    if length < MIN_SECONDS:
        raise AudioError(
            f"'{original}' has {max(length, 0):.3f} s to process, --report and --tensorboard "
            f"compare at least {MIN_SECONDS:.3f} s; remove them, or use a longer part"
        )


def extra_measures(style: Path | None, judge: Path | None) -> "list[ExtraMeasure]":
    """Build the optional style and classifier measures.

    Args:
      style: audio file with the target style.
      judge: run folder of a classifier.
    """
    measures: list[ExtraMeasure] = []
    if style is not None:
        from tfdream.evaluation.measures.beat_spectrum import BeatSimilarity
        from tfdream.evaluation.measures.style import StyleDistance

        measures += [StyleDistance(style), BeatSimilarity(style)]
    if judge is not None:
        from tfdream.evaluation.measures.classes import ClassMeasure
        from tfdream.runs import Run

        measures.append(ClassMeasure(Run.open(judge), style))
    return measures


def result_options(changes: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the options; it receives them as one argument, `outputs`.

    Args:
      changes: include --judge and --video, for commands that change or generate audio.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_outputs(
            figure: Path | None,
            report: Path | None,
            tensorboard: Path | None,
            judge: Path | None = None,
            video: Path | None = None,
            **arguments: Any,
        ) -> Any:
            outputs = ResultOutputs(figure, report, tensorboard, judge, video)
            return function(outputs=outputs, **arguments)

        for option in reversed((*_OPTIONS, _VIDEO, _JUDGE) if changes else _OPTIONS):
            with_outputs = option(with_outputs)
        return with_outputs

    return decorate
