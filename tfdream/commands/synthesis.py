"""Commands that change or generate audio."""

from pathlib import Path

import click

from tfdream.commands import jobs, options, standard_output
from tfdream.commands.console import Result, command, command_line
from tfdream.commands.rendering import Rendering, rendering_options
from tfdream.commands.results import result_options
from tfdream.reports.presentations import Outcome, Presentations
from tfdream.synthesis.defaults import GENERATED_SECONDS


@command(failed_partly=jobs.has_skipped, decodes=2)
@click.argument("paths", metavar="AUDIO... OUTPUT", nargs=-1, required=True, type=options.PATH)
@options.default_model
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
@click.option("--guide", type=options.AUDIO, help="Audio file for guided objectives.")
@click.option(
    "--from",
    "init",
    type=click.Choice(["original", "noise"]),
    help="Initial sound; by default the recipe's.",
)
@options.start
@options.seconds
@click.option(
    "--mix", type=options.Number(0, 1), help="Share of the change: 0 is the original, 1 the dream."
)
@click.option("--repeats", type=options.Integer(1), help="Number of passes over the file.")
@click.option(
    "--save-every",
    type=click.IntRange(1),
    metavar="N",
    help="Also write the intermediate result after every N steps; --video shows them in turn.",
)
@jobs.keep_falling
@options.seed
@options.filter_band
@options.overriding("optimizer.steps=60")
@rendering_options()
@result_options()
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
    band: dict[str, float],
    overrides: tuple[str, ...],
    start_seconds: float,
    seconds: float | None,
    save_every: int | None,
    keep_falling: bool,
    rendering: Rendering,
    presentations: Presentations,
) -> Result:
    """Dream AUDIO into OUTPUT (wav, flac or ogg; - is standard output).

    Length, sample rate and channels stay the same. OUTPUT.json contains the settings and the
    measures of the written file. Several audio files, or folders, are written into the folder
    OUTPUT; outputs of the same settings and unchanged inputs are not computed again.

    A file that cannot be read does not stop the others: it is reported, and the exit status is 3.

    Ctrl-C stops the dream and writes the current result; the rest stays unchanged.
    """
    if len(paths) < 2:
        raise click.UsageError("name AUDIO and OUTPUT")
    if len(paths) == 2:
        options.AUDIO.check(paths[0])
    from tfdream import config
    from tfdream.runs import Run
    from tfdream.synthesis import dream as dreams
    from tfdream.synthesis.ascent.expressions import layer_norms
    from tfdream.synthesis.rendering.batch import process_folder

    if objective is not None and layers:
        raise click.UsageError("--layer and --objective exclude each other")
    *sources, output = paths
    into_folder = jobs.is_folder(sources, output, presentations, "AUDIO")
    if save_every is not None and standard_output.is_named(output):
        raise click.UsageError("--save-every writes several files; OUTPUT - takes one")
    by_layer = dreams.LAYER in output.name
    output = rendering.output(output, into_folder, has_fields=by_layer)
    if by_layer and (into_folder or not layers):
        raise click.UsageError(f"{dreams.LAYER} in OUTPUT needs one AUDIO file and --layer")
    if by_layer and presentations.video is not None and len(set(layers)) > 1:
        raise click.UsageError(f"--video shows one output; {dreams.LAYER} in OUTPUT writes several")
    presentations.check(sources[0], start_seconds, seconds, [guide])
    given = options.as_overrides(
        objective=layer_norms(layers) or objective,
        init=init,
        mix=mix,
        repeats=repeats,
        seed=seed,
        **band,
    )
    settings = config.load(name, config.DreamConfig, (*overrides, *given, *rendering.overrides))
    render = rendering.options(start_seconds, seconds, save_every, keep_falling)
    network = Run.open(run)
    with presentations.event_writer() as events:
        with jobs.job("dreaming", "steps", events, "objective") as job:
            if by_layer:
                outputs = dreams.layer_outputs(output, layers, rendering.names())
                result = dreams.dream_layers(
                    sources[0], outputs, network, settings, guide, render, job.progress
                )
            elif into_folder:
                dreamer = dreams.Dreamer(network, settings, guide)
                names = rendering.names("dream", name, run, settings.seed)
                result = process_folder(
                    sources, output, dreamer, render, job.progress, job.stop_requested, names
                )
            else:
                result = dreams.dream(
                    sources[0], output, network, settings, guide, render, job.progress
                )
        if presentations:
            results = result.get("files", [result])
            outcome = Outcome.of_dream(sources[0], results, start_seconds, seconds)
            presentations.measure_and_write(outcome, events, command_line())
    return result


@command(failed_partly=jobs.has_skipped, decodes=2)
@click.argument("content", type=options.AUDIO)
@click.argument("style", type=options.AUDIO)
@click.argument("output", type=options.PATH)
@options.run_option(
    "A run folder or a preset: of a classifier if CONFIG has network.kind=run, of a transfer "
    "network if it has method=timbre."
)
@options.recipe("transfer/timbre")
@click.option(
    "--style-strength",
    type=options.Number(0, 1),
    help="0 preserves the content, 1 uses the style alone; by default the recipe's.",
)
@click.option(
    "--keep",
    metavar="rhythm,harmony",
    help="Preserve the onsets or the pitch classes of CONTENT, in transfers by gradients.",
)
@jobs.keep_falling
@options.seed
@options.filter_band
@options.overriding("mix=0.5")
@rendering_options()
@result_options()
def transfer(
    content: Path,
    style: Path,
    output: Path,
    run: Path | None,
    name: str,
    style_strength: float | None,
    keep: str | None,
    keep_falling: bool,
    seed: int | None,
    band: dict[str, float],
    overrides: tuple[str, ...],
    rendering: Rendering,
    presentations: Presentations,
) -> Result:
    """Write CONTENT in the style of STYLE to OUTPUT (wav, flac or ogg; - is standard output).

    OUTPUT has CONTENT's length, sample rate and channels. OUTPUT.json contains the settings and the
    measures of the written file. --figure shows content, style and output, and for transfers by
    gradients the loss. If CONTENT is a folder, its audio files are written into the folder OUTPUT;
    a file that cannot be read is reported, and the exit status is 3.
    """
    from tfdream import config
    from tfdream.synthesis import transfer as transfers
    from tfdream.synthesis.rendering.batch import process_folder

    given = options.as_overrides(style_strength=style_strength, **band)
    given = [*overrides, *given, *rendering.overrides]
    settings = config.load_transfer(name, given)
    kept = None if keep is None else [part.strip() for part in keep.split(",")]
    for option, value in {"seed": seed, "keep": kept}.items():
        if value is not None and not isinstance(settings, config.TransferConfig):
            raise click.UsageError(
                f"--{option} applies to transfers by gradients, such as --config transfer/texture"
            )
    if further := options.as_overrides(seed=seed, keep=kept):
        settings = config.load_transfer(name, (*given, *further))
    into_folder = jobs.is_folder([content], output, presentations, "CONTENT")
    output = rendering.output(output, into_folder)
    presentations.check(content, other_inputs=[style])
    settings, network = transfers.with_model(settings, run)
    render = rendering.options(keep_falling=keep_falling)
    with presentations.event_writer() as events:
        with jobs.job("transferring", "steps", events, "loss", sign=-1) as job:
            if into_folder:
                style_transfer = transfers.build_transfer(style, settings, network)
                names = rendering.names("transfer", name, run, getattr(settings, "seed", 0))
                return process_folder(
                    [content],
                    output,
                    style_transfer,
                    render,
                    job.progress,
                    job.stop_requested,
                    names,
                )
            result = transfers.transfer(
                content, style, output, settings, network, render, job.progress
            )
        outcome = Outcome.of_transfer(content, style, result)
        presentations.measure_and_write(outcome, events, command_line())
    return result


@command(failed_partly=jobs.has_skipped, decodes=1)
@click.argument("source", metavar="AUDIO", type=options.AUDIO)
@click.argument("output", type=options.PATH)
@options.model
@options.recipe("translate/recommended")
@options.target("RUN")
@click.option(
    "--mix",
    type=options.Number(0, 1),
    help="Share of the change: 0 is the original, 1 the translation.",
)
@click.option(
    "--strength",
    type=options.Number(0, 2),
    help="Factor of the change of the levels in dB: 1 is the translation, 2 twice as much.",
)
@options.filter_band
@options.overriding("canvas.bound_db=12")
@rendering_options()
@result_options()
def translate(
    source: Path,
    output: Path,
    run: Path,
    name: str,
    to: str | None,
    mix: float | None,
    strength: float | None,
    band: dict[str, float],
    overrides: tuple[str, ...],
    rendering: Rendering,
    presentations: Presentations,
) -> Result:
    """Translate AUDIO into the other genre of RUN, a CycleGAN, and write OUTPUT.

    OUTPUT is wav, flac or ogg, or - for standard output.

    Length, sample rate and channels stay the same. OUTPUT.json contains the settings and the
    measures of the written file. If AUDIO is a folder, its audio files are written into the folder
    OUTPUT; a file that cannot be read is reported, and the exit status is 3. Ctrl-C stops and
    writes the current result; the rest stays unchanged.
    """
    from tfdream import config
    from tfdream.runs import TranslationRun
    from tfdream.synthesis.rendering.batch import process_folder
    from tfdream.synthesis.translate import Translation

    settings = config.load(
        name,
        config.TranslateConfig,
        (
            *overrides,
            *options.as_overrides(mix=mix, strength=strength, **band),
            *rendering.overrides,
        ),
    )
    render = rendering.options()
    into_folder = jobs.is_folder([source], output, presentations, "AUDIO")
    output = rendering.output(output, into_folder)
    presentations.check(source)
    with jobs.job("translating", "tiles") as job:
        translation = Translation(TranslationRun.open(run), settings, to)
        if into_folder:
            names = rendering.names("translate", name, run)
            return process_folder(
                [source], output, translation, render, job.progress, job.stop_requested, names
            )
        result = translation(source, output, render, job.progress)
    with presentations.event_writer() as events:
        outcome = Outcome.of_translation(source, result)
        presentations.measure_and_write(outcome, events, command_line())
    return result


@command(failed_partly=jobs.has_skipped)
@click.argument("output", type=options.PATH)
@options.model
@options.recipe("generate/recommended")
@click.option(
    "--seconds",
    type=options.Number(0, min_open=True),
    default=GENERATED_SECONDS,
    show_default=True,
    metavar="S",
    help="Duration of the generated audio, without the prompt, in seconds.",
)
@click.option(
    "--prompt",
    type=options.AUDIO,
    metavar="AUDIO",
    help="Audio file to continue; a folder is continued file by file, into the folder OUTPUT.",
)
@click.option(
    "--temperature",
    type=options.Number(0),
    help="Sampling temperature: 0 takes the most likely frame; by default that of the model.",
)
@options.seed
@options.filter_band
@options.overriding("phase.iterations=200")
@rendering_options(changes=False)
@result_options()
def generate(
    output: Path,
    run: Path,
    name: str,
    seconds: float,
    prompt: Path | None,
    temperature: float | None,
    seed: int | None,
    band: dict[str, float],
    overrides: tuple[str, ...],
    rendering: Rendering,
    presentations: Presentations,
) -> Result:
    """Generate audio with the sequence model of RUN, with or without a prompt, into OUTPUT.

    OUTPUT is wav, flac or ogg, or - for standard output. With a prompt, it is the prompt, sample by
    sample, and its continuation, at the prompt's rate and channels. OUTPUT.json contains the
    settings. Ctrl-C stops and writes the finished part.
    """
    from tfdream import config
    from tfdream.runs import GenerationRun
    from tfdream.synthesis.generate import Generation
    from tfdream.synthesis.rendering.batch import process_folder

    given = options.as_overrides(temperature=temperature, seed=seed, **band)
    settings = config.load(name, config.GenerateConfig, (*overrides, *given, *rendering.overrides))
    render = rendering.output_options()
    into_folder = prompt is not None and jobs.is_folder([prompt], output, presentations, "--prompt")
    names = rendering.names("generate", name, run, settings.seed)
    if prompt is None and output.is_dir():
        output = rendering.output(output / names.of(Path("generated")), into_folder=True)
    else:
        output = rendering.output(output, into_folder)
    presentations.check(other_inputs=[prompt])
    with jobs.job("generating", "frames") as job:
        generation = Generation(GenerationRun.open(run), settings, seconds)
        if prompt is not None and into_folder:
            return process_folder(
                [prompt], output, generation, render, job.progress, job.stop_requested, names
            )
        result = generation(prompt, output, render, job.progress)
    with presentations.event_writer() as events:
        outcome = Outcome.of_generation(run, prompt, result)
        presentations.measure_and_write(outcome, events, command_line())
    return result
