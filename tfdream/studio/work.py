"""Carrying out a job by the functions that the commands call."""

import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast

from tfdream import config
from tfdream.evaluation.compare import compare
from tfdream.evaluation.measures.optional import optional_measures
from tfdream.evaluation.prediction import predict
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.reports.presentations import Outcome, Presentations
from tfdream.reports.tensorboard import EventWriter
from tfdream.runs import GenerationRun, Run, TranslationRun
from tfdream.studio.equivalent import command
from tfdream.studio.job import Job, beside
from tfdream.studio.tasks import TASKS
from tfdream.synthesis.defaults import GENERATED_SECONDS
from tfdream.synthesis.dream import Dreamer
from tfdream.synthesis.generate import Generation
from tfdream.synthesis.rendering.options import OutputOptions, PreviewFn, RenderOptions
from tfdream.synthesis.transfer import build_transfer, with_model
from tfdream.synthesis.translate import Translation

Result = dict[str, Any]


def carry_out(
    job: Job,
    output: str | Path,
    progress: ProgressFn = no_progress,
    preview: PreviewFn | None = None,
    written: Callable[[Result], object] = lambda result: None,
) -> Result:
    """Carry out a job.

    Args:
      job: the choices.
      output: the audio file to write, and the presentations beside it; `predict` writes none, and
        `compare` the presentations alone.
      progress: receives finished and all steps, the value of the task or NaN, and a note; if it
        returns True, the finished part is written. Not called by `predict` and `compare`.
      preview: receives intermediate results.
      written: receives the result of every task before its presentations are made; an audio file
        is complete by then.

    Returns:
      The JSON object of the command.

    Raises:
      TfdreamError: as the command of the task.
      OSError: if a file cannot be read or written.
    """
    job.check()
    task = TASKS[job.task]
    presentations = _presentations(job, output, job.made)
    if presentations and task.writes_audio:
        changed = Path(str(job.first)) if job.task != "generate" else None
        presentations.check(changed, job.start_seconds, job.seconds)
    events = EventWriter()

    def record(done: int, total: int, value: float = math.nan, note: str = "") -> bool | None:
        value = task.value_sign * value if task.value_name else math.nan
        if not math.isnan(value):
            events.add_step(value)
        return progress(done, total, value, note)

    result = _WORK[job.task](job, Path(output), record, preview)
    written(result)
    present(job, result, output, job.made, events)
    return result


def present(
    job: Job,
    result: Result,
    output: str | Path,
    presentations: Collection[str],
    events: EventWriter | None = None,
) -> None:
    """Write presentations of a finished job, as the options of its command do.

    Args:
      job: a job that wrote audio, or a comparison.
      result: its result.
      output: its audio file, which is measured; a comparison only names its files after it.
      presentations: keys of `job.EXTENSIONS`.
      events: has the objective or loss at each step, for the figure; None has no steps.
    """
    requested = _presentations(job, output, presentations)
    if not requested:
        return
    events = events or EventWriter()
    line, first = command(job, Path(output).name), Path(job.first or "")
    if job.task == "compare":
        style = Path(job.style) if job.style else None
        after = Path(str(job.second))
        requested.write_comparison(first, after, style, result, events, line)
        return
    result = {**result, "output": str(output)}  # the folder may have another name by now
    if job.task == "dream":
        outcome = Outcome.of_dream(first, [result], job.start_seconds, job.seconds)
    elif job.task == "transfer":
        outcome = Outcome.of_transfer(first, Path(str(job.second)), result)
    elif job.task == "translate":
        outcome = Outcome.of_translation(first, result)
    else:
        prompt = first if job.first else None
        outcome = Outcome.of_generation(str(job.run), prompt, result)
    requested.measure_and_write(outcome, events, line)


def _presentations(job: Job, output: str | Path, names: Collection[str]) -> Presentations:
    paths = {name: beside(output, name) for name in names}
    judge = job.judge if "report" in names else None
    return Presentations(**paths, judge=judge)


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
    settings = cast(config.DreamConfig, job.settings)
    dreamer = Dreamer(Run.open(str(job.run)), settings, job.second)
    return dreamer(str(job.first), output, _render_options(job, preview), progress)


def _transfer(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings, run = with_model(cast(config.AnyTransfer, job.settings), job.run)
    transfer = build_transfer(str(job.second), settings, run)
    return transfer(str(job.first), output, _render_options(job, preview), progress)


def _translate(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings = cast(config.TranslateConfig, job.settings)
    translation = Translation(TranslationRun.open(str(job.run)), settings, job.to)
    return translation(str(job.first), output, _render_options(job, preview), progress)


def _generate(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    settings = cast(config.GenerateConfig, job.settings)
    seconds = GENERATED_SECONDS if job.seconds is None else job.seconds
    generation = Generation(GenerationRun.open(str(job.run)), settings, seconds)
    return generation(job.first, output, OutputOptions(job.bits, preview=preview), progress)


def _predict(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    paths = [path for path in (job.first, job.second) if path]
    return predict(Run.open(str(job.run)), paths, job.unknown_below)


def _compare(job: Job, output: Path, progress: ProgressFn, preview: PreviewFn | None) -> Result:
    extra = optional_measures(job.style, job.run)
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
