"""Commands that change recordings."""

import math
from pathlib import Path
from typing import Any

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, interruptible, progress_bar
from tfdream.commands.results import STYLE, ResultOutputs, result_options


@command()
@click.argument("paths", metavar="AUDIO... OUTPUT", nargs=-1, required=True, type=options.PATH)
@options.model
@options.recipe("dream/recommended")
@click.option(
    "--objective",
    help="What to maximize, such as 'layer_norm(conv3)'; by default the recipe's.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    help="The same as --objective 'layer_norm(LAYER)'. Repeatable: they add up; where OUTPUT has "
    "{layer} in its name, each has a file of its own.",
)
@click.option("--guide", type=options.PATH, help="A recording, for objectives that heed one.")
@click.option(
    "--from",
    "init",
    type=click.Choice(["original", "noise"]),
    help="What to start from; by default the recipe's.",
)
@click.option(
    "--start",
    "start_seconds",
    type=options.Number(0),
    default=0.0,
    metavar="S",
    help="Take only a part of AUDIO, from here on.",
)
@click.option(
    "--seconds", type=options.Number(0, min_open=True), metavar="S", help="And only so much."
)
@click.option("--mix", type=options.Number(0, 1), help="0 is the original, 1 the dream.")
@click.option("--repeats", type=click.IntRange(1), help="How often the result is dreamt again.")
@click.option(
    "--save-every",
    type=click.IntRange(1),
    metavar="N",
    help="Also write what it is like every N steps.",
)
@options.seed
@options.overriding
@options.bits
@result_options()
@options.force
def dream(
    paths: tuple[Path, ...],
    run: Path,
    name: str,
    objective: str | None,
    layers: tuple[str, ...],
    guide: Path | None,
    init: str | None,
    mix: float | None,
    repeats: int | None,
    seed: int | None,
    overrides: tuple[str, ...],
    outputs: ResultOutputs,
    **how: Any,
) -> Result:
    """Dream AUDIO into OUTPUT (wav, flac or ogg).

    The file keeps its length, sample rate and channels. OUTPUT.json records the settings and what
    was measured on the written file. Several recordings, or a folder of them, go into the folder
    OUTPUT; what is there already, of the same settings, is kept.

    Ctrl-C ends the dream where it is and writes what is done; the rest stays as it was.
    """
    from tfdream import audio, config
    from tfdream.runs import Run
    from tfdream.synthesis import dream as dreams
    from tfdream.synthesis.ascent.expressions import layer_norms

    if len(paths) < 2:
        raise click.UsageError("name AUDIO and OUTPUT")
    if objective is not None and layers:
        raise click.UsageError("--layer and --objective exclude each other")
    *sources, output = paths
    into_folder = len(sources) > 1 or sources[0].is_dir() or output.is_dir()
    if into_folder and audio.is_writable(output.suffix.lower()) and not output.is_dir():
        raise click.UsageError(
            f"'{output}' is named like a file; several AUDIO, or a folder, go into a folder"
        )
    by_layer = dreams.LAYER in output.name
    if outputs and into_folder:
        raise click.UsageError(
            "--figure, --report and --tensorboard go with one AUDIO and one OUTPUT file"
        )
    if by_layer and (into_folder or not layers):
        raise click.UsageError(f"{dreams.LAYER} in OUTPUT goes with one AUDIO file and --layer")
    outputs.check()
    given = options.as_overrides(
        objective=layer_norms(layers) or objective, init=init, mix=mix, repeats=repeats, seed=seed
    )
    settings = config.load(name, config.DreamConfig, (*overrides, *given))
    network = Run.open(run)
    with (
        progress_bar("dreaming", "steps") as progress,
        outputs.event_writer() as events,
        interruptible() as stop_requested,
    ):

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            events.add_step(value)
            progress(done, total, note=f"objective {value:.4g}")
            return stop_requested()

        how["progress"] = report
        if by_layer:
            result = dreams.dream_layers(
                sources[0], output, network, settings, layers, guide, **how
            )
        elif into_folder:
            dreamer = dreams.Dreamer(network, settings, guide)
            result = dreams.dream_folder(sources, output, dreamer, **how)
        else:
            result = dreams.dream(sources[0], output, network, settings, guide, **how)
        dreamt = result.get("files", [result])
        if outputs:
            with audio.excerpt(sources[0], how["start_seconds"], how["seconds"]) as original:
                outputs.measure_and_write(
                    f"A dream of {sources[0].name}",
                    {"before": original},
                    {f"after: {each['objective']}": each for each in dreamt},
                    events,
                )
    return result


@command()
@click.argument("content", type=options.PATH)
@click.argument("style", type=options.PATH)
@click.argument("output", type=options.PATH)
@click.option(
    "--model", "run", type=options.PATH, metavar="RUN", help="A run folder, for CONFIGs of one."
)
@options.recipe("transfer/recommended")
@click.option(
    "--style-strength",
    type=options.Number(0, 1),
    help="0 keeps the content, 1 heeds the style alone; by default the recipe's.",
)
@options.seed
@options.overriding
@options.bits
@result_options()
@options.force
def transfer(
    content: Path,
    style: Path,
    output: Path,
    run: Path | None,
    name: str,
    style_strength: float | None,
    seed: int | None,
    overrides: tuple[str, ...],
    bits: int | None,
    outputs: ResultOutputs,
    force: bool,
) -> Result:
    """Write CONTENT in the style of STYLE to OUTPUT (wav, flac or ogg).

    The file keeps CONTENT's length, sample rate and channels. OUTPUT.json records the settings and
    what was measured on the written file. FIGURE shows content, style and output, and the loss.
    """
    from tfdream import config
    from tfdream.runs import Run
    from tfdream.synthesis.transfer import transfer

    given = options.as_overrides(style_strength=style_strength, seed=seed)
    settings = config.load(name, config.TransferConfig, (*overrides, *given))
    outputs.check()
    network = Run.open(run) if run else None
    with (
        progress_bar("transferring", "steps") as progress,
        outputs.event_writer() as events,
        interruptible() as stop_requested,
    ):

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            events.add_step(-value, "loss")
            progress(done, total, note=f"loss {-value:.3g}")
            return stop_requested()

        result = transfer(content, style, output, settings, network, force, bits, report)
        outputs.measure_and_write(
            f"{content.name} in the style of {style.name}",
            {"content": content, STYLE: style},
            {"output": result},
            events,
            "weighted loss",
        )
    return result


@command()
@click.argument("source", metavar="AUDIO", type=options.PATH)
@click.argument("output", type=options.PATH)
@options.model
@options.recipe("translate/recommended")
@click.option("--to", metavar="LABEL", help="The genre to translate to; by default RUN's second.")
@click.option("--mix", type=options.Number(0, 1), help="0 is the original, 1 the translation.")
@options.overriding
@options.bits
@result_options()
@options.force
def translate(
    source: Path,
    output: Path,
    run: Path,
    name: str,
    to: str | None,
    mix: float | None,
    overrides: tuple[str, ...],
    bits: int | None,
    outputs: ResultOutputs,
    force: bool,
) -> Result:
    """Translate AUDIO into the other genre of RUN, a CycleGAN, and write OUTPUT (wav, flac or ogg).

    The file keeps its length, sample rate and channels. OUTPUT.json records the settings and what
    was measured on the written file. Ctrl-C writes what is done; the rest stays as it was.
    """
    from tfdream import config
    from tfdream.runs import TranslationRun
    from tfdream.synthesis.translate import translate

    settings = config.load(
        name, config.TranslateConfig, (*overrides, *options.as_overrides(mix=mix))
    )
    outputs.check()
    with (
        progress_bar("translating", "tiles") as progress,
        outputs.event_writer() as events,
        interruptible() as stop_requested,
    ):

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            progress(done, total)
            return stop_requested()

        network = TranslationRun.open(run)
        result = translate(source, output, network, settings, to, force, bits, report)
        outputs.measure_and_write(
            f"{source.name}, {result['direction']}",
            {"before": source},
            {f"after: {result['direction']}": result},
            events,
        )
    return result


@command()
@click.argument("output", type=options.PATH)
@options.model
@options.recipe("generate/recommended")
@click.option(
    "--seconds",
    type=options.Number(0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="S",
    help="How much is generated, after the prompt if there is one.",
)
@click.option("--prompt", type=options.PATH, metavar="AUDIO", help="A recording to go on from.")
@click.option(
    "--temperature",
    type=options.Number(0),
    help="How much is left to chance: 0 takes what is likeliest; by default what RUN is made for.",
)
@options.seed
@options.overriding
@options.bits
@result_options()
@options.force
def generate(
    output: Path,
    run: Path,
    name: str,
    seconds: float,
    prompt: Path | None,
    temperature: float | None,
    seed: int | None,
    overrides: tuple[str, ...],
    bits: int | None,
    outputs: ResultOutputs,
    force: bool,
) -> Result:
    """Generate music with RUN, from nothing or from where a recording ends, into OUTPUT.

    OUTPUT (wav, flac or ogg) then is the recording, sample by sample, and what follows, at its rate
    and with its channels. OUTPUT.json records the settings. Ctrl-C writes what is done.
    """
    from tfdream import config
    from tfdream.runs import GenerationRun
    from tfdream.synthesis.generate import generate

    given = options.as_overrides(temperature=temperature, seed=seed)
    settings = config.load(name, config.GenerateConfig, (*overrides, *given))
    outputs.check()
    with (
        progress_bar("generating", "frames") as progress,
        outputs.event_writer() as events,
        interruptible() as stop_requested,
    ):

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            progress(done, total)
            return stop_requested()

        network = GenerationRun.open(run)
        result = generate(output, network, settings, seconds, prompt, force, bits, report)
        made = "generated" if prompt is None else "prompt and what follows"
        outputs.measure_and_write(f"{output.name}, by {run.name}", {}, {made: result}, events)
    return result
