"""Options that several commands have."""

from pathlib import Path

import click

PATH = click.Path(path_type=Path)

force = click.option("--force", is_flag=True, help="Replace what is there already.")
epochs = click.option(
    "--epochs", type=click.IntRange(1), help="The same as --set training.epochs=N."
)
overriding = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a setting, such as training.epochs=3. Repeatable.",
)
model = click.option(
    "--model", "run", required=True, type=PATH, metavar="RUN", help="A run folder."
)
bits = click.option(
    "--bits",
    type=click.Choice(["16", "24", "32"]),
    callback=lambda context, parameter, value: value and int(value),
    help="Bits per sample of wav (32 is float) and flac; by default 24.",
)
figure = click.option("--figure", type=PATH, help="Also draw a PNG, SVG or PDF here.")
