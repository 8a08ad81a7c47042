"""Commands that change recordings."""

import json
from pathlib import Path

import click

from tfdream.commands import options
from tfdream.console import Result, command, progress_bar


@command()
@click.argument("audio", type=options.PATH)
@click.argument("output", type=options.PATH)
@options.model
@click.option(
    "--config",
    "name",
    default="dream/recommended",
    show_default=True,
    help="Name or path of the recipe.",
)
@click.option(
    "--objective",
    help="What to maximise, such as 'layer_norm(conv3)'; by default the recipe's.",
)
@click.option("--layer", help="The same as --objective 'layer_norm(LAYER)'.")
@click.option("--seed", type=int, help="The same as --set seed=N.")
@options.overriding
@options.bits
@options.figure
@options.force
def dream(
    audio: Path,
    output: Path,
    run: Path,
    name: str,
    objective: str | None,
    layer: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    bits: int | None,
    figure: Path | None,
    force: bool,
) -> Result:
    """Dream AUDIO into OUTPUT (wav, flac or ogg).

    The file keeps its length, sample rate and channels. OUTPUT.json records the settings and what
    was measured on the written file.
    """
    from tfdream import config, figures
    from tfdream.synthesis.dream import dream
    from tfdream.training.runs import Run

    if objective is not None and layer is not None:
        raise click.UsageError("--layer and --objective exclude each other")
    if layer is not None:
        objective = f"layer_norm({layer})"
    if objective is not None:
        overrides = (*overrides, f"objective={json.dumps(objective)}")  # which is YAML too
    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    settings = config.load(name, config.DreamConfig, overrides)
    if figure is not None:
        figures.check_writable(figure)
    with progress_bar("dreaming", "steps") as progress:
        result = dream(
            audio,
            output,
            Run.open(run),
            settings,
            force,
            bits,
            lambda done, total, value: progress(done, total),
        )
    if figure is not None:
        figures.spectrograms([audio, output], figure, ["before", f"after: {result['objective']}"])
    return result


@command()
@click.argument("content", type=options.PATH)
@click.argument("style", type=options.PATH)
@click.argument("output", type=options.PATH)
@click.option(
    "--model", "run", type=options.PATH, metavar="RUN", help="A run folder, for CONFIGs of one."
)
@click.option(
    "--config",
    "name",
    default="transfer/recommended",
    show_default=True,
    help="Name or path of the recipe.",
)
@click.option(
    "--style-strength",
    type=click.FloatRange(0, 1),
    help="0 keeps the content, 1 heeds the style alone; by default the recipe's.",
)
@click.option("--seed", type=int, help="The same as --set seed=N.")
@click.option(
    "--tensorboard", type=options.PATH, metavar="DIR", help="Write the loss of each step there."
)
@options.overriding
@options.bits
@options.figure
@options.force
def transfer(
    content: Path,
    style: Path,
    output: Path,
    run: Path | None,
    name: str,
    style_strength: float | None,
    seed: int | None,
    tensorboard: Path | None,
    overrides: tuple[str, ...],
    bits: int | None,
    figure: Path | None,
    force: bool,
) -> Result:
    """Write CONTENT in the style of STYLE to OUTPUT (wav, flac or ogg).

    The file keeps CONTENT's length, sample rate and channels. OUTPUT.json records the settings and
    what was measured on the written file. FIGURE shows content, style and output, and the loss.
    """
    from tfdream import config, figures
    from tfdream.synthesis.monitor import LossCurve
    from tfdream.synthesis.transfer import transfer
    from tfdream.training.runs import Run

    if style_strength is not None:
        overrides = (*overrides, f"style_strength={style_strength}")
    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    settings = config.load(name, config.TransferConfig, overrides)
    if figure is not None:
        figures.check_writable(figure)
    with progress_bar("transferring", "steps") as progress, LossCurve(tensorboard) as curve:

        def report(done: int, total: int, value: float) -> None:
            curve.add(-value)
            progress(done, total, f"loss {-value:.3g}")

        result = transfer(
            content,
            style,
            output,
            settings,
            Run.open(run) if run else None,
            force,
            bits,
            report,
        )
    if figure is not None:
        titles = ["content", "style", "output"]
        figures.spectrograms([content, style, output], figure, titles, curve.losses)
    return result
