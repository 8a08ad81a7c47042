"""Commands that judge what was made of recordings."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.console import Result, command


@command()
@click.argument("original", type=options.PATH)
@click.argument("result", type=options.PATH)
def compare(original: Path, result: Path) -> Result:
    """Measure what a change did: ORIGINAL is the recording, RESULT what was made of it.

    Distance of the spectra, similarity of harmony and rhythm, and how far the noise floor rose.
    """
    from tfdream.evaluation.modification import compare

    return compare(original, result)
