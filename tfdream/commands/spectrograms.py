"""Commands between sound and the pictures of it that networks see."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command


@command("analyse")
@click.argument("audio", type=options.PATH)
@click.argument("output", type=options.PATH)
@click.option("--config", "name", required=True, help="Name or path; its clips and frontend.")
@click.option("--start", type=options.Number(0), default=0.0, help="Where the clip begins, in s.")
@options.overriding
@options.force
def analyze(
    audio: Path, output: Path, name: str, start: float, overrides: tuple[str, ...], force: bool
) -> Result:
    """Save one clip of AUDIO as the spectrogram that a network sees (npz)."""
    from tfdream import config
    from tfdream.synthesis import inversion

    settings = config.load_experiment(name, overrides)
    return inversion.analyze(audio, output, settings, start, force)


@command()
@click.argument("spectrogram", type=options.PATH)
@click.argument("output", type=options.PATH)
@click.option(
    "--phase",
    type=click.Choice(["pghi", "random"]),
    default="pghi",
    show_default=True,
    help="Where it starts: integrated from the magnitude, or anywhere.",
)
@click.option(
    "--iterations",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Of Griffin–Lim from there.",
)
@click.option(
    "--momentum",
    type=options.Number(0, 1, max_open=True),
    default=0.99,
    show_default=True,
    help="Of Griffin–Lim; 0 is the plain one.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is random in it.")
@options.bits
@options.force
def invert(
    spectrogram: Path,
    output: Path,
    phase: str,
    iterations: int,
    momentum: float,
    seed: int,
    bits: int | None,
    force: bool,
) -> Result:
    """Turn a saved SPECTROGRAM (of `tfdream analyse`) back into sound.

    A phase that the spectrogram shows is used as it is.
    """
    from tfdream.config import PhaseConfig
    from tfdream.synthesis.inversion import invert

    found = PhaseConfig(init=phase, iterations=iterations, momentum=momentum)
    return invert(spectrogram, output, found, seed, force, bits)
