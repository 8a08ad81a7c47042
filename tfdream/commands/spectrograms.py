"""Commands that convert audio to spectrogram images and back."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command


@command("analyse", decodes=1)
@click.argument("audio", type=options.AUDIO)
@click.argument("output", type=options.PATH)
@click.option(
    "--config",
    "name",
    required=True,
    help="Name or path of the experiment whose frontend and clip length are used.",
)
@click.option("--start", type=options.Number(0), default=0.0, help="Start of the clip, in seconds.")
@options.overriding("prepare.clip_seconds=10")
@options.force
def analyze(
    audio: Path, output: Path, name: str, start: float, overrides: tuple[str, ...], force: bool
) -> Result:
    """Save the spectrogram image of one clip of AUDIO, as a model input (npz)."""
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
    help="Initial phase: integrated from the magnitude (pghi), or random.",
)
@click.option(
    "--iterations",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Griffin–Lim iterations.",
)
@click.option(
    "--momentum",
    type=options.Number(0, 1, max_open=True),
    default=0.99,
    show_default=True,
    help="Momentum of the Griffin–Lim iterations; 0 for the original algorithm.",
)
@click.option("--seed", type=options.SEED, default=0, show_default=True, help="Random seed.")
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
    """Convert a SPECTROGRAM saved by `tfdream analyse` to audio.

    If the image contains the phase, that phase is used.
    """
    from tfdream.config import PhaseConfig
    from tfdream.synthesis.inversion import invert

    settings = PhaseConfig(init=phase, iterations=iterations, momentum=momentum)
    return invert(spectrogram, output, settings, seed, force, bits)
