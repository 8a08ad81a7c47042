"""Options that several commands have."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tfdream.io.atomic import is_unicode


class _Path(click.Path):
    """A path that can be written down, in a sidecar or on the screen.

    An empty one is a variable of a shell that was not set: nobody means the folder we are in.
    """

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not value:
            self.fail("the path is empty", param, ctx)
        if not is_unicode(Path(value)):
            self.fail(f"{value!r} is not valid Unicode; rename it", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number within a range; not NaN or infinity, which Python also reads."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


PATH = _Path(path_type=Path)

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
seed = click.option("--seed", type=int, help="The same as --set seed=N.")
bits = click.option(
    "--bits",
    type=click.Choice(["16", "24", "32"]),
    callback=lambda context, parameter, value: value and int(value),
    help="Bits per sample of wav (32 is float) and flac; by default 24.",
)


def recipe(default: str) -> Callable[[Any], Any]:
    """The option that names a recipe."""
    return click.option(
        "--config",
        "name",
        default=default,
        show_default=True,
        help="Name or path of the recipe.",
    )


def as_overrides(**settings: Any) -> list[str]:
    """The options that were given, as --set would say it: JSON is YAML too."""
    return [f"{key}={json.dumps(value)}" for key, value in settings.items() if value is not None]


figure = click.option("--figure", type=PATH, help="Also draw a PNG, SVG or PDF here.")
