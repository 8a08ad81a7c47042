"""Commands that compare results with originals and sets of audio files with each other."""

from pathlib import Path

import click

from tfdream.commands import jobs, options
from tfdream.commands.console import Result, command, command_line, progress_bar
from tfdream.commands.results import result_options
from tfdream.errors import ConfigError
from tfdream.reports.presentations import Presentations

# Tiles of 10 s: one batch for two and a half minutes.
_TILES_TOGETHER = "tiles.batch=16"


@command(decodes=2)
@click.argument("original", type=options.AUDIO)
@click.argument("result", type=options.AUDIO)
@click.option(
    "--style",
    type=options.AUDIO,
    help="Audio file with the target style: also measure the style distance of both files to it, "
    "independent of the volume, and the similarity of the beat spectra. The measuring network has "
    "random weights of another seed than that of `transfer/texture`.",
)
@options.run_option(
    "Run folder or preset of a classifier: also give its probabilities for both files, and for "
    "STYLE."
)
@result_options(changes=False)
def compare(
    original: Path,
    result: Path,
    style: Path | None,
    run: Path | None,
    presentations: Presentations,
) -> Result:
    """Measure how RESULT differs from ORIGINAL, the file that it was made from.

    The measures are the distance of the spectra, the similarity of harmony and rhythm, the rise of
    the noise floor, and the changes of tonality and loudness. `assessment` explains their values,
    and `not_covered` lists what they do not include.
    """
    from tfdream.evaluation.compare import compare
    from tfdream.evaluation.measures.optional import optional_measures

    presentations.check()
    measured = compare(original, result, optional_measures(style, run))
    if presentations:
        with presentations.event_writer() as events:
            presentations.write_comparison(
                original, result, style, measured, events, command_line()
            )
    return measured


@command("compare-models", decodes=2)
@click.argument("content", type=options.AUDIO)
@click.argument("style", type=options.AUDIO)
@click.argument("folder", type=options.PATH)
@click.option(
    "--config",
    "recipes",
    multiple=True,
    default=("transfer/random_conv1d", "transfer/random_rnn", "transfer/random_bilstm"),
    show_default=True,
    help="Recipe of a transfer, repeatable.",
)
@options.run_option(
    "A run folder or a preset: of a classifier for the recipes that have network.kind=run, of a "
    "transfer network for those with method=timbre."
)
@click.option(
    "--translator",
    "translators",
    type=options.RUN,
    multiple=True,
    metavar="RUN",
    help="Run folder or preset of a CycleGAN that translates CONTENT as published, repeatable.",
)
@options.target("each --translator")
@click.option(
    "--judge",
    type=options.RUN,
    metavar="RUN",
    help="Run folder or preset of a classifier: the table also has its predictions, and whether "
    "the output and STYLE are classified as the same label.",
)
@options.start
@options.seconds
@options.seed
@options.overriding("optimizer.steps=100")
@options.force
def compare_models(
    content: Path,
    style: Path,
    folder: Path,
    recipes: tuple[str, ...],
    run: Path | None,
    translators: tuple[Path, ...],
    to: str | None,
    judge: Path | None,
    start_seconds: float,
    seconds: float | None,
    seed: int | None,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Give CONTENT the style of STYLE by several models, and compare the outputs in FOLDER.

    FOLDER receives an audio file for each model, the losses of all models in losses.png, all
    spectrograms in spectrograms.png, and the style distances and the predictions of a classifier
    in verdicts.csv. Settings of --set apply to every transfer. Up to 16 tiles are optimized
    together, so that each model has one curve. Called again, finished outputs of the same settings
    remain.
    """
    from tfdream import config
    from tfdream.reports.model_comparison import RESERVED_NAMES, Models, compare_models
    from tfdream.runs import Run, TranslationRun, open_run
    from tfdream.synthesis.rendering.options import RenderOptions
    from tfdream.synthesis.transfer import build_transfer, takes_model, with_model
    from tfdream.synthesis.translate import Translation

    given = (_TILES_TOGETHER, *overrides, *options.as_overrides(seed=seed))
    names = [Path(each).stem for each in recipes] + [each.resolve().name for each in translators]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise click.UsageError(f"two models have the name '{repeated}'; rename one")
    reserved = next((name for name in names if name in RESERVED_NAMES), None)
    if reserved is not None:
        raise click.UsageError(
            f"no model can have the name '{reserved}', which has another meaning in the results; "
            "rename it"
        )
    settings = {Path(each).stem: config.load_transfer(each, given) for each in recipes}
    if to is not None and not translators:
        raise click.UsageError("--to is the target of a --translator; remove it, or name one")
    network = open_run(run) if run else None
    model = network if isinstance(network, Run) else run
    taking = {name for name, each in settings.items() if network and takes_model(each, network)}
    if network and not taking:
        raise ConfigError(f"no recipe uses a network such as --model '{run}'; remove it")
    published = config.load("translate/published", config.TranslateConfig)
    models = Models(
        {
            name: build_transfer(style, *with_model(each, model if name in taking else None))
            for name, each in settings.items()
        },
        {
            each.resolve().name: Translation(TranslationRun.open(each), published, to)
            for each in translators
        },
        Run.open(judge) if judge else None,
    )
    render = RenderOptions(force=force, start_seconds=start_seconds, seconds=seconds)
    with jobs.job("comparing", "steps", value_name="loss", sign=-1) as job:
        return compare_models(
            content, style, folder, models, render, job.progress, job.stop_requested
        )


@command(decodes=1)
@click.argument("set_a", type=options.AUDIO)
@click.argument("set_b", type=options.AUDIO)
@options.default_model
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Random seed of the subsets.",
)
@click.option(
    "--subsets",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Random subsets used for the bias-corrected estimate.",
)
def distance(set_a: Path, set_b: Path, run: Path, seed: int, subsets: int) -> Result:
    """Compute the Fréchet and kernel distance of two sets of audio: folders, or single files.

    They compare the embeddings of the clips in the classifier of RUN. The Fréchet distance of
    finite sets is too large, so a bias-corrected one is given too. The kernel distance has no bias.
    For reference, distances between random halves of each set are given.
    """
    from tfdream.evaluation.distance import distance
    from tfdream.runs import Run

    with progress_bar("embedding", "files") as progress:
        return distance(set_a, set_b, Run.open(run), seed, subsets, progress)
