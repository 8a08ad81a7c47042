"""The command that explains a classification."""

from pathlib import Path

import click

from tfdream.commands import jobs, options
from tfdream.commands.console import Result, command, command_line
from tfdream.commands.results import result_options
from tfdream.reports.presentations import Outcome, Presentations


@command(decodes=2)
@click.argument("source", metavar="AUDIO", type=options.AUDIO)
@click.argument("run", type=options.RUN)
@click.argument("output", type=options.PATH)
@click.option("--label", help="The label to explain; by default the most probable one of AUDIO.")
@click.option(
    "--rest",
    type=options.PATH,
    metavar="FILE",
    help="Also write what is left of AUDIO without the part, at the same sample rate.",
)
@options.recipe("explain/recommended")
@options.start
@options.seconds
@options.overriding("sparsity=4")
@options.bits
@result_options(changes=False)
@options.force
def explain(
    source: Path,
    run: Path,
    output: Path,
    label: str | None,
    rest: Path | None,
    name: str,
    start_seconds: float,
    seconds: float | None,
    overrides: tuple[str, ...],
    bits: int | None,
    presentations: Presentations,
    force: bool,
) -> Result:
    """Write the part of AUDIO that supports a label of RUN to OUTPUT (wav, flac or ogg).

    RUN is a classifier, whose sample rate OUTPUT has. A smooth mask of the spectrogram is
    optimized: the label is probable for what it keeps and improbable for what it removes, while it
    keeps as little as possible. The result contains these confidences, and those of random masks
    that keep as much.
    """
    from tfdream import config
    from tfdream.runs import Run
    from tfdream.synthesis.explain import explain
    from tfdream.synthesis.rendering.options import RenderOptions

    presentations.check(source, start_seconds, seconds)
    settings = config.load(name, config.ExplainConfig, overrides)
    render = RenderOptions(bits, force, start_seconds, seconds)
    with presentations.event_writer() as events:
        with jobs.job("explaining", "steps", events, "objective") as job:
            network = Run.open(run)
            result = explain(source, output, network, settings, label, rest, render, job.progress)
        outcome = Outcome(
            f"The part of {source.name} that supports {result['label']}",
            {"recording": source},
            {f"part: {result['label']}": result},
            start_seconds=start_seconds,
            seconds=seconds,
        )
        presentations.measure_and_write(outcome, events, command_line())
    return result
