"""Commands that judge what was made of recordings."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, command_line, progress_bar
from tfdream.commands.results import STYLE, ResultOutputs, opinions, showing


@command()
@click.argument("original", type=options.PATH)
@click.argument("result", type=options.PATH)
@click.option(
    "--style",
    type=options.PATH,
    help="A recording whose style RESULT should have: how far are the textures of both from its? "
    "Judged by a random network of another seed than that of `transfer/recommended`, whatever "
    "the volume.",
)
@click.option(
    "--model",
    "run",
    type=options.PATH,
    metavar="RUN",
    help="A run folder of a classifier: what does it hear in both, and in STYLE?",
)
@showing(judged=False)
def compare(
    original: Path, result: Path, style: Path | None, run: Path | None, showing: ResultOutputs
) -> Result:
    """Measure what a change did: ORIGINAL is the recording, RESULT what was made of it.

    Distance of the spectra, similarity of harmony and rhythm, how far the noise floor rose, how
    tonal or noisy it became, loudness. `in_words` says what the figures mean.
    """
    from tfdream.evaluation.compare import compare

    showing.check()
    measured = compare(original, result, opinions(style, run))
    if showing:
        from tfdream.reports.result import ResultSet

        sounds = {"before": original, **({STYLE: style} if style else {}), "after": result}
        title = f"{result.name} beside {original.name}"
        with showing.board() as board:
            showing.show(ResultSet(title, sounds, {"after": measured}, {}, command_line()), board)
    return measured


@command()
@click.argument("set_a", type=options.PATH)
@click.argument("set_b", type=options.PATH)
@options.model
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random subsets."
)
@click.option(
    "--subsets",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="How many the unbiased distance is told from.",
)
def distance(set_a: Path, set_b: Path, run: Path, seed: int, subsets: int) -> Result:
    """Tell how far two sets of recordings are apart: folders, or single files.

    It is the Fréchet distance of what the network of RUN knows of their clips. Of finite sets it is
    too large, so it is also told as if there were infinitely many clips, and beside what random
    halves of each set are apart.
    """
    from tfdream.evaluation.distance import distance
    from tfdream.runs import Run

    with progress_bar("listening", "") as progress:
        return distance(set_a, set_b, Run.open(run), seed, subsets, progress)
