"""Commands that change or generate audio."""

import math
from pathlib import Path

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
    help="Objective to maximize, such as 'layer_norm(conv3)'; by default the recipe's.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    help="Short for --objective 'layer_norm(LAYER)'. Repeatable: the norms are added; if the name "
    "of OUTPUT contains {layer}, one file is written for each layer.",
)
@click.option("--guide", type=options.PATH, help="Audio file for guided objectives.")
@click.option(
    "--from",
    "init",
    type=click.Choice(["original", "noise"]),
    help="Initial sound; by default the recipe's.",
)
@click.option(
    "--start",
    "start_seconds",
    type=options.Number(0),
    default=0.0,
    metavar="S",
    help="Start of the part of AUDIO to process, in seconds.",
)
@click.option(
    "--seconds",
    type=options.Number(0, min_open=True),
    metavar="S",
    help="Duration to process, in seconds.",
)
@click.option(
    "--mix", type=options.Number(0, 1), help="Share of the change: 0 is the original, 1 the dream."
)
@click.option("--repeats", type=click.IntRange(1), help="Number of passes over the file.")
@click.option(
    "--save-every",
    type=click.IntRange(1),
    metavar="N",
    help="Also write the intermediate result after every N steps.",
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
    start_seconds: float,
    seconds: float | None,
    save_every: int | None,
    bits: int | None,
    outputs: ResultOutputs,
    force: bool,
) -> Result:
    """Dream AUDIO into OUTPUT (wav, flac or ogg).

    Length, sample rate and channels stay the same. OUTPUT.json contains the settings and the
    measures of the written file. Several audio files, or folders, are written into the folder
    OUTPUT; existing outputs of the same settings are not computed again.

    Ctrl-C stops the dream and writes the current result; the rest stays unchanged.
    """
    from tfdream import audio, config
    from tfdream.runs import Run
    from tfdream.synthesis import dream as dreams
    from tfdream.synthesis.ascent.expressions import layer_norms
    from tfdream.synthesis.rendering.options import RenderOptions

    if len(paths) < 2:
        raise click.UsageError("name AUDIO and OUTPUT")
    if objective is not None and layers:
        raise click.UsageError("--layer and --objective exclude each other")
    *sources, output = paths
    into_folder = len(sources) > 1 or sources[0].is_dir() or output.is_dir()
    if into_folder and audio.is_writable(output.suffix.lower()) and not output.is_dir():
        raise click.UsageError(
            f"OUTPUT '{output}' has the extension of a file; several AUDIO, or a folder, need a "
            "folder"
        )
    by_layer = dreams.LAYER in output.name
    if outputs and into_folder:
        raise click.UsageError(
            "--figure, --report and --tensorboard need one AUDIO and one OUTPUT file"
        )
    if by_layer and (into_folder or not layers):
        raise click.UsageError(f"{dreams.LAYER} in OUTPUT needs one AUDIO file and --layer")
    outputs.check()
    given = options.as_overrides(
        objective=layer_norms(layers) or objective, init=init, mix=mix, repeats=repeats, seed=seed
    )
    settings = config.load(name, config.DreamConfig, (*overrides, *given))
    render = RenderOptions(bits, force, start_seconds, seconds, save_every)
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

        if by_layer:
            result = dreams.dream_layers(
                sources[0], output, network, settings, layers, guide, render, report
            )
        elif into_folder:
            dreamer = dreams.Dreamer(network, settings, guide)
            result = dreams.dream_folder(sources, output, dreamer, render, report)
        else:
            result = dreams.dream(sources[0], output, network, settings, guide, render, report)
        dreams_written = result.get("files", [result])
        if outputs:
            with audio.excerpt(sources[0], start_seconds, seconds) as original:
                outputs.measure_and_write(
                    f"A dream of {sources[0].name}",
                    {"before": original},
                    {f"after: {each['objective']}": each for each in dreams_written},
                    events,
                )
    return result


@command()
@click.argument("content", type=options.PATH)
@click.argument("style", type=options.PATH)
@click.argument("output", type=options.PATH)
@click.option(
    "--model",
    "run",
    type=options.PATH,
    metavar="RUN",
    help="A run folder, if CONFIG has network.kind=run.",
)
@options.recipe("transfer/recommended")
@click.option(
    "--style-strength",
    type=options.Number(0, 1),
    help="0 preserves the content, 1 uses the style alone; by default the recipe's.",
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

    OUTPUT has CONTENT's length, sample rate and channels. OUTPUT.json contains the settings and the
    measures of the written file. FIGURE shows content, style, output and the loss.
    """
    from tfdream import config
    from tfdream.runs import Run
    from tfdream.synthesis.rendering.options import RenderOptions
    from tfdream.synthesis.transfer import transfer

    given = options.as_overrides(style_strength=style_strength, seed=seed)
    settings = config.load(name, config.TransferConfig, (*overrides, *given))
    outputs.check()
    network = Run.open(run) if run else None
    render = RenderOptions(bits, force)
    with (
        progress_bar("transferring", "steps") as progress,
        outputs.event_writer() as events,
        interruptible() as stop_requested,
    ):

        def report(done: int, total: int, value: float = math.nan, note: str = "") -> bool:
            events.add_step(-value, "loss")
            progress(done, total, note=f"loss {-value:.3g}")
            return stop_requested()

        result = transfer(content, style, output, settings, network, render, report)
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
@click.option(
    "--to", metavar="LABEL", help="The genre to translate to; by default the second one of RUN."
)
@click.option(
    "--mix",
    type=options.Number(0, 1),
    help="Share of the change: 0 is the original, 1 the translation.",
)
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

    Length, sample rate and channels stay the same. OUTPUT.json contains the settings and the
    measures of the written file. Ctrl-C stops and writes the current result; the rest stays
    unchanged.
    """
    from tfdream import config
    from tfdream.runs import TranslationRun
    from tfdream.synthesis.rendering.options import RenderOptions
    from tfdream.synthesis.translate import translate

    settings = config.load(
        name, config.TranslateConfig, (*overrides, *options.as_overrides(mix=mix))
    )
    render = RenderOptions(bits, force)
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
        result = translate(source, output, network, settings, to, render, report)
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
    help="Duration of the generated audio, without the prompt, in seconds.",
)
@click.option("--prompt", type=options.PATH, metavar="AUDIO", help="Audio file to continue.")
@click.option(
    "--temperature",
    type=options.Number(0),
    help="Sampling temperature: 0 takes the most likely frame; by default that of the model.",
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
    """Generate audio with the sequence model of RUN, with or without a prompt, into OUTPUT.

    With a prompt, OUTPUT (wav, flac or ogg) is the prompt, sample by sample, and its continuation,
    at the prompt's rate and channels. OUTPUT.json contains the settings. Ctrl-C stops and writes
    the finished part.
    """
    from tfdream import config
    from tfdream.runs import GenerationRun
    from tfdream.synthesis.generate import generate
    from tfdream.synthesis.rendering.options import OutputOptions

    given = options.as_overrides(temperature=temperature, seed=seed)
    settings = config.load(name, config.GenerateConfig, (*overrides, *given))
    file_format = OutputOptions(bits, force)
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
        result = generate(output, network, settings, seconds, prompt, file_format, report)
        title = "generated" if prompt is None else "prompt and continuation"
        outputs.measure_and_write(f"{output.name}, by {run.name}", {}, {title: result}, events)
    return result
