"""Commands that compare results with originals and sets of audio files with each other."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, command_line, progress_bar
from tfdream.commands.results import STYLE, ResultOutputs, extra_measures, result_options


@command(decodes=2)
@click.argument("original", type=options.PATH)
@click.argument("result", type=options.PATH)
@click.option(
    "--style",
    type=options.PATH,
    help="Audio file with the target style: also measure the style distance of both files to it, "
    "independent of the volume. The measuring network has random weights of another seed than that "
    "of `transfer/texture`.",
)
@click.option(
    "--model",
    "run",
    type=options.PATH,
    metavar="RUN",
    help="Run folder of a classifier: also give its probabilities for both files, and for STYLE.",
)
@result_options(judge=False)
def compare(
    original: Path, result: Path, style: Path | None, run: Path | None, outputs: ResultOutputs
) -> Result:
    """Measure how RESULT differs from ORIGINAL, the file that it was made from.

    The measures are the distance of the spectra, the similarity of harmony and rhythm, the rise of
    the noise floor, and the changes of tonality and loudness. `assessment` explains their values.
    """
    from tfdream.evaluation.compare import compare

    outputs.check()
    measured = compare(original, result, extra_measures(style, run))
    if outputs:
        from tfdream.reports.result import ResultSet

        sounds = {"before": original, **({STYLE: style} if style else {}), "after": result}
        title = f"{result.name} compared with {original.name}"
        with outputs.event_writer() as events:
            results = ResultSet(title, sounds, {"after": measured}, {}, command_line())
            outputs.write(results, events)
    return measured


@command(decodes=1)
@click.argument("set_a", type=options.PATH)
@click.argument("set_b", type=options.PATH)
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
