"""Presentations of a finished result: figure, HTML report, TensorBoard events and video.

Commands and the local web page use the same measures, titles and names of sounds. TensorFlow is
imported only when it is needed.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdream.errors import AudioError

if TYPE_CHECKING:
    from tfdream.evaluation.compare import ExtraMeasure
    from tfdream.reports.result import ResultSet
    from tfdream.reports.tensorboard import EventWriter

Result = Mapping[str, Any]

STYLE = "style"
"""Name of the sound that a result should have the style of."""


@dataclass(frozen=True)
class Outcome:
    """The results of a command, and the recordings that they are compared with.

    Attributes:
      title: description of what was done.
      originals: audio files by name: the changed file first, if there is one, and the `STYLE`.
      results: the JSON objects of the command by name, each with its ``output``.
      value_name: name of the quantity at each step.
      start_seconds: start of the range of the changed file that was processed.
      seconds: length of that range; None extends it to the end.
    """

    title: str
    originals: Mapping[str, Path]
    results: Mapping[str, Result]
    value_name: str = "objective"
    start_seconds: float = 0.0
    seconds: float | None = None

    @classmethod
    def of_dream(
        cls, source: Path, results: Sequence[Result], start_seconds: float, seconds: float | None
    ) -> "Outcome":
        """Return the outcome of a dream, or of a dream of each of several layers."""
        named = {f"after: {result['objective']}": result for result in results}
        title, sounds = f"A dream of {source.name}", {"before": source}
        return cls(title, sounds, named, start_seconds=start_seconds, seconds=seconds)

    @classmethod
    def of_transfer(cls, content: Path, style: Path, result: Result) -> "Outcome":
        """Return the outcome of a transfer."""
        title = f"{content.name} in the style of {style.name}"
        return cls(title, {"content": content, STYLE: style}, {"output": result}, "loss")

    @classmethod
    def of_translation(cls, source: Path, result: Result) -> "Outcome":
        """Return the outcome of a translation."""
        direction = result["direction"]
        named = {f"after: {direction}": result}
        return cls(f"{source.name}, {direction}", {"before": source}, named)

    @classmethod
    def of_generation(cls, run: str | Path, prompt: Path | None, result: Result) -> "Outcome":
        """Return the outcome of a sequence model."""
        title = f"{Path(result['output']).name}, by {Path(run).name}"
        name = "generated" if prompt is None else "prompt and continuation"
        return cls(title, {}, {name: result})


@dataclass(frozen=True)
class Presentations:
    """The requested presentations of a result.

    Attributes:
      figure: image file, or None.
      report: HTML file, or None.
      tensorboard: folder of events, or None.
      judge: run folder of a classifier whose probabilities join the measures, or None.
      video: video file, or None.
    """

    figure: Path | None = None
    report: Path | None = None
    tensorboard: Path | None = None
    judge: str | Path | None = None
    video: Path | None = None

    def __bool__(self) -> bool:
        return any((self.figure, self.report, self.tensorboard, self.video))

    @property
    def has_measures(self) -> bool:
        """Whether a presentation contains measures."""
        return bool(self.report or self.tensorboard)

    def check(
        self,
        original: Path | None = None,
        start_seconds: float = 0.0,
        seconds: float | None = None,
        other_inputs: Iterable[Path | None] = (),
    ) -> None:
        """Check before the work begins that all presentations can be made and written.

        Args:
          original: the file that the result will be compared with, if there is one.
          start_seconds: start of the part of it that is processed.
          seconds: length of that part; None extends it to the end.
          other_inputs: further files that no presentation may replace; None is ignored.

        Raises:
          AudioError: if the original cannot be read, or is too short to be compared.
          ConfigError, ModelError: if a presentation has a wrong extension, cannot be written or
            would replace an input, or the judge is not the run of a classifier.
        """
        if self.has_measures and original is not None:
            _check_length(original, start_seconds, seconds)
        if self.judge is not None:
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

            video.check_writable(self.video, (original, *other_inputs))
        if self.tensorboard is not None:
            from tfdream.reports import tensorboard

            tensorboard.check_writable(self.tensorboard)

    def event_writer(self) -> "EventWriter":
        """Return the writer of TensorBoard events; it writes none if they are not requested."""
        from tfdream.reports.tensorboard import EventWriter

        return EventWriter(self.tensorboard)

    def write(self, results: "ResultSet", events: "EventWriter") -> None:
        """Write all requested presentations except the video."""
        if self.figure is not None:
            from tfdream.figures.parts import sheet

            sheet.write(results.figure, self.figure)
        events.add_results(results)
        if self.report is not None:
            from tfdream.reports import html

            html.write(results, self.report)

    def write_comparison(
        self,
        original: Path,
        result: Path,
        style: Path | None,
        measured: Result,
        events: "EventWriter",
        command: str,
    ) -> None:
        """Write all requested presentations of a comparison of two files.

        Args:
          original: the original.
          result: the file that was made from it.
          style: the recording with the target style, or None.
          measured: the JSON object of the comparison.
          events: the writer of events.
          command: the command as a line for a shell.
        """
        from tfdream.reports.result import ResultSet

        sounds = {"before": original, **({STYLE: style} if style else {}), "after": result}
        title = f"{result.name} compared with {original.name}"
        self.write(ResultSet(title, sounds, {"after": measured}, {}, command), events)

    def measure_and_write(self, outcome: Outcome, events: "EventWriter", command: str) -> None:
        """Measure the written files against the first original; write all requested presentations.

        Args:
          outcome: the results and their originals.
          events: the writer with the steps so far.
          command: the command as a line for a shell.
        """
        if not self:
            return
        from tfdream.reports.result import ResultSet
        from tfdream.synthesis.rendering import sidecar

        outputs = {name: Path(result["output"]) for name, result in outcome.results.items()}
        settings = sidecar.read(next(iter(outputs.values())))
        settings.pop("result", None)
        with _processed(outcome) as originals:
            measure = self._measure(originals)
            results = ResultSet(
                outcome.title,
                {**originals, **outputs},
                {name: _add_measures(result, measure) for name, result in outcome.results.items()},
                settings,
                command,
                _steps_of_each(outcome.results, events.steps),
                outcome.value_name,
                {name: path.name for name, path in outcome.originals.items()},
            )
            self.write(results, events)
        if self.video is not None:
            from tfdream.reports import video

            *_, last = outcome.results.values()
            video.write(self.video, [*last.get("snapshots", []), last["output"]])

    def _measure(self, originals: Mapping[str, Path]) -> Callable[[Path], Result]:
        """Return the function that computes further measures of an output file."""
        if self.has_measures and originals:
            from tfdream.evaluation.compare import compare

            original = next(iter(originals.values()))

            @functools.cache
            def extra() -> "list[ExtraMeasure]":
                from tfdream.evaluation.measures.optional import optional_measures

                return optional_measures(originals.get(STYLE), self.judge)

            return lambda output: compare(original, output, extra())
        if self.has_measures and self.judge is not None:
            from tfdream.evaluation.prediction import predict
            from tfdream.runs import Run

            judge = Run.open(self.judge)

            def classify(output: Path) -> Result:
                (file,) = predict(judge, [output])["files"]
                return {name: file[name] for name in ("label", "probabilities")}

            return classify
        return lambda output: {}


@contextmanager
def _processed(outcome: Outcome) -> Iterator[dict[str, Path]]:
    """Yield the originals of an outcome; the first one is cut to the range that was processed."""
    from tfdream import audio

    originals = dict(outcome.originals)
    if not originals:
        yield originals
        return
    first = next(iter(originals))
    with audio.excerpt(originals[first], outcome.start_seconds, outcome.seconds) as part:
        yield {**originals, first: part}


def _steps_of_each(
    results: Mapping[str, Result], values: Sequence[float]
) -> dict[str, Sequence[float]]:
    """Divide the values of all steps among the results, which are in the order of the steps.

    >>> _steps_of_each({"one": {"steps": 1}, "two": {"steps": 2}}, [3.0, 4.0, 5.0])
    {'one': [3.0], 'two': [4.0, 5.0]}
    """
    if len(results) == 1:
        divided = dict.fromkeys(results, values)
    else:
        remaining = iter(values)
        divided = {
            name: list(itertools.islice(remaining, result["steps"]))
            for name, result in results.items()
        }
    return {name: each for name, each in divided.items() if each}


def _add_measures(result: Result, measure: Callable[[Path], Result]) -> dict[str, Any]:
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

    length = audio.seconds(original) - start_seconds
    length = length if seconds is None else min(length, seconds)
    if length < MIN_SECONDS:
        raise AudioError(
            f"'{original}' has {max(length, 0):.3f} s to process, --report and --tensorboard "
            f"compare at least {MIN_SECONDS:.3f} s; remove them, or use a longer part"
        )
