"""Carrying out a job by the functions that the commands call."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfdream import audio, config
from tfdream.errors import AudioError
from tfdream.evaluation.classification import predict
from tfdream.evaluation.compare import ExtraMeasure, compare
from tfdream.evaluation.measures.beat_spectrum import BeatSimilarity
from tfdream.evaluation.measures.classes import ClassMeasure
from tfdream.evaluation.measures.style import StyleDistance
from tfdream.figures.parts import sheet
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.reports import html, video
from tfdream.reports.result import ResultSet
from tfdream.runs import GenerationRun, Run, TranslationRun
from tfdream.studio.equivalent import command
from tfdream.studio.job import Job, beside
from tfdream.synthesis.dream import Dreamer
from tfdream.synthesis.generate import Generation
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.options import OutputOptions, PreviewFn, RenderOptions
from tfdream.synthesis.transfer import build_transfer, with_model
from tfdream.synthesis.translate import Translation

Result = dict[str, Any]
_GENERATED_SECONDS = 30.0


def carry_out(
    job: Job,
    output: str | Path,
    progress: ProgressFn = no_progress,
    preview: PreviewFn | None = None,
) -> Result:
    """Carry out a job.

    Args:
      job: the choices.
      output: the audio file to write, and the presentations beside it; `predict` writes none, and
        `compare` the presentations alone.
      progress: receives finished and all steps; if it returns True, the finished part is written.
      preview: receives intermediate results.

    Returns:
      The JSON object of the command.

    Raises:
      TfdreamError: as the command of the task.
    """
    job.check()
    steps: list[float] = []

    def record(done: int, total: int, value: float = math.nan, note: str = "") -> bool | None:
        if not math.isnan(value):
            steps.append(-value if job.task == "transfer" else value)
        return progress(done, total, value, note)

    result = _WORK[job.task](job, Path(output), record, preview)
    present(job, result, Path(output), job.made, steps)
    return result


def present(
    job: Job,
    result: Result,
    output: str | Path,
    presentations: Sequence[str],
    steps: Sequence[float] = (),
) -> None:
    """Write presentations of a finished job; see `reports`.

    Args:
      job: a job that wrote audio, or a comparison.
      result: its result.
      output: its audio file; a comparison only names its files after it.
      presentations: keys of `job.EXTENSIONS`.
      steps: the objective or loss at each step, for the figure.
    """
    if not presentations:
        return
    with _originals(job) as originals:
        results = _results(job, result, originals, steps, measured="report" in presentations)
        if "figure" in presentations:
            sheet.write(results.figure, beside(output, "figure"))
        if "report" in presentations:
            html.write(results, beside(output, "report"))
    if "video" in presentations:
        snapshots = result.get("snapshots", [])
        video.write(beside(output, "video"), [*snapshots, result["output"]])


@contextmanager
def _originals(job: Job) -> Iterator[dict[str, Path]]:
    """Yield the recordings that a result is compared with, by name; the changed one first."""
    if job.task == "generate" or job.first is None:
        yield {}
    elif job.task == "transfer":
        yield {"content": Path(job.first), "style": Path(str(job.second))}
    else:
        with audio.excerpt(job.first, job.start_seconds, job.seconds) as original:
            yield {"before": original}


def _results(
    job: Job,
    result: Result,
    originals: Mapping[str, Path],
    steps: Sequence[float],
    measured: bool,
) -> ResultSet:
    if job.task == "compare":
        after = Path(str(job.second))
        title = f"{after.name} compared with {originals['before'].name}"
        sounds = {**originals, "after": after}
        return ResultSet(title, sounds, {"after": result}, {}, command(job))
    output = Path(result["output"])
    settings = {key: value for key, value in sidecar.read(output).items() if key != "result"}
    full = {**result, **(_measures(job, output, originals) if measured else {})}
    label = "loss" if job.task == "transfer" else "objective"
    title = f"{job.task}: {output.name}"
    sounds = {**originals, "output": output}
    return ResultSet(title, sounds, {"output": full}, settings, command(job), steps, label)


def _measures(job: Job, output: Path, originals: Mapping[str, Path]) -> Result:
    """Return further measures of an output; without any, a note with the reason."""
    judge = Run.open(job.judge) if job.judge else None
    if not originals:
        return {"judge": predict(judge, [output])["files"][0]["probabilities"]} if judge else {}
    extra: list[ExtraMeasure] = [ClassMeasure(judge, originals.get("style"))] if judge else []
    try:
        return compare(next(iter(originals.values())), output, extra)
    except AudioError as error:  # the output is finished, and a page without measures is useful
        return {"notes": [f"not measured: {error}"]}


def _render_options(job: Job, preview: PreviewFn | None) -> RenderOptions:
    is_dream = job.task == "dream"
    return RenderOptions(
        bits=job.bits,
        preview=preview,
        start_seconds=job.start_seconds if is_dream else 0.0,
        seconds=job.seconds if is_dream else None,
        keep_falling=job.keep_falling and job.task != "translate",
        save_every=job.save_every,
        part=job.part,
        stems=dict(job.stems),
        loop=job.loop,
    )


def _dream(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings = config.load(job.recipe, config.DreamConfig, job.overrides)
    dreamer = Dreamer(Run.open(str(job.run)), settings, job.second)
    return dreamer(str(job.first), output, _render_options(job, preview), progress)


def _transfer(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings, run = with_model(config.load_transfer(job.recipe, job.overrides), job.run)
    transfer = build_transfer(str(job.second), settings, run)
    return transfer(str(job.first), output, _render_options(job, preview), progress)


def _translate(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings = config.load(job.recipe, config.TranslateConfig, job.overrides)
    translation = Translation(TranslationRun.open(str(job.run)), settings, job.to)
    return translation(str(job.first), output, _render_options(job, preview), progress)


def _generate(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings = config.load(job.recipe, config.GenerateConfig, job.overrides)
    seconds = _GENERATED_SECONDS if job.seconds is None else job.seconds
    generation = Generation(GenerationRun.open(str(job.run)), settings, seconds)
    return generation(job.first, output, OutputOptions(job.bits, preview=preview), progress)


def _predict(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    paths = [path for path in (job.first, job.second) if path]
    return predict(Run.open(str(job.run)), paths, job.unknown_below)


def _compare(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    style = Path(job.style) if job.style else None
    extra: list[ExtraMeasure] = [StyleDistance(style), BeatSimilarity(style)] if style else []
    if job.run:
        extra.append(ClassMeasure(Run.open(job.run), style))
    return compare(str(job.first), str(job.second), extra)


_Work = Callable[[Job, Path, ProgressFn, PreviewFn | None], Result]
_WORK: dict[str, _Work] = {
    "dream": _dream,
    "transfer": _transfer,
    "translate": _translate,
    "generate": _generate,
    "predict": _predict,
    "compare": _compare,
}
