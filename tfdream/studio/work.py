"""Carrying out a job by the functions that the commands call."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tfdream import config
from tfdream.evaluation.classification import predict
from tfdream.evaluation.compare import ExtraMeasure, compare
from tfdream.evaluation.measures.classes import ClassMeasure
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.reports import html
from tfdream.reports.result import ResultSet
from tfdream.runs import GenerationRun, Run, TranslationRun
from tfdream.studio.equivalent import command
from tfdream.studio.tasks import Job
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
      output: the audio file to write; `predict` and `compare` write none.
      progress: receives finished and all steps; if it returns True, the finished part is written.
      preview: receives intermediate results.

    Returns:
      The JSON object of the command.

    Raises:
      TfdreamError: as the command of the task.
    """
    job.check()
    return _WORK[job.task](job, Path(output), progress, preview)


def write_report(job: Job, result: Result, page: str | Path) -> None:
    """Write the report page of a finished job; see `reports.html`.

    Args:
      job: a job that wrote audio, or a comparison.
      result: its result.
      page: the HTML file to write.
    """
    if job.task == "compare":
        sounds = {"before": Path(str(job.first)), "after": Path(str(job.second))}
        title, settings = f"{sounds['after'].name} compared with {sounds['before'].name}", {}
        measured = result
    else:
        output = Path(result["output"])
        sounds = dict(_inputs(job)) | {"output": output}
        title = f"{job.task}: {output.name}"
        settings = {key: value for key, value in sidecar.read(output).items() if key != "result"}
        measured = {**result, **_measures(job, output)}
    html.write(ResultSet(title, sounds, {"output": measured}, settings, command(job)), page)


def _inputs(job: Job) -> Iterator[tuple[str, Path]]:
    if job.first and job.task != "generate":
        yield ("content" if job.task == "transfer" else "before"), Path(job.first)
    if job.second and job.task == "transfer":
        yield "style", Path(job.second)


def _measures(job: Job, output: Path) -> Result:
    """Return what `compare` measures; nothing if the output is a part of the input, or longer."""
    is_part = job.start_seconds or (job.seconds is not None)
    if job.first is None or job.task == "generate" or is_part:
        return {}
    return compare(job.first, output)


def _render_options(job: Job, preview: PreviewFn | None) -> RenderOptions:
    is_dream = job.task == "dream"
    return RenderOptions(
        bits=job.bits,
        preview=preview,
        start_seconds=job.start_seconds if is_dream else 0.0,
        seconds=job.seconds if is_dream else None,
        keep_falling=job.keep_falling and job.task != "translate",
        part=job.part,
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
    extra: list[ExtraMeasure] = [ClassMeasure(Run.open(job.run))] if job.run else []
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
