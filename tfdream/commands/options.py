"""Types and options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tfdream.io.atomic import is_unicode


class _Path(click.Path):
    """A path that is not empty and valid Unicode, so that sidecars can contain it.

    An empty path is usually an unset shell variable, and not meant as the current folder.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("the path is empty", param, ctx)
        if not is_unicode(Path(value)):
            self.fail(f"{value!r} is not valid Unicode; rename it", param, ctx)
        return super().convert(value, param, ctx)


class Input(_Path):
    """A path that is checked before its command imports TensorFlow, which takes seconds.

    Args:
      check: raises an error of the package if nothing can be read there.
    """

    def __init__(self, check: Callable[[Path], None]) -> None:
        super().__init__(path_type=Path)
        self.check = check


def check_inputs(context: click.Context) -> None:
    """Check the inputs of a command; of several files in one argument, some may be missing.

    Raises:
      TfdreamError: if an input does not exist.
    """
    for parameter in context.command.params:
        if isinstance(parameter.type, Input):
            value = context.params[str(parameter.name)]
            paths = value if isinstance(value, tuple) else (value,)
            if parameter.nargs == -1 and len(paths) > 1:
                continue
            for path in paths:
                if path is not None:
                    parameter.type.check(path)


def _check_audio(path: Path) -> None:
    from tfdream.audio.decode import check_exists

    check_exists(path)


def _check_run(run: Path) -> None:
    from tfdream.runs.named import check_is_run

    check_is_run(run)


def _check_dataset(folder: Path) -> None:
    from tfdream.datasets.manifest import check_is_dataset

    check_is_dataset(folder)


class Number(click.FloatRange):
    """A number within a range, and not above `LARGEST`, the limit of settings.

    Python's `float` accepts NaN and infinity, too.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from tfdream.config.base import LARGEST

        number: float = super().convert(value, param, ctx)
        if not abs(number) <= LARGEST:  # also true for NaN
            self.fail(f"{value} is not a finite number of at most {LARGEST:.0f}", param, ctx)
        return number


class Integer(click.IntRange):
    """An integer of at most 64 bits within a range, for an option that is short for a setting."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number: int = super().convert(value, param, ctx)
        if not -(2**63) <= number < 2**63:
            self.fail(f"{value} is too long; the limit is 64 bits", param, ctx)
        return number


Decorator = Callable[[Any], Any]

PATH = _Path(path_type=Path)
AUDIO = Input(_check_audio)
RUN = Input(_check_run)
DATASET = Input(_check_dataset)
SEED = click.IntRange(0, 2**32 - 1)

force = click.option("--force", is_flag=True, help="Replace existing output.")
epochs = click.option(
    "--epochs", type=Integer(1), help="Number of epochs; short for --set training.epochs=N."
)


def run_option(help_text: str = "A run folder, or the name of a preset.", **more: Any) -> Decorator:
    """Return the option --model; further arguments are those of `click.option`."""
    return click.option("--model", "run", type=RUN, metavar="RUN", help=help_text, **more)


def port(default: int) -> Decorator:
    """Return the option for the port of a server."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help="Port of the server; 0 takes any free port.",
    )


def target(networks: str) -> Decorator:
    """Return the option for the label to translate to; `networks` have two of them."""
    return click.option(
        "--to",
        metavar="LABEL",
        help=f"The genre to translate to; by default the second one of {networks}.",
    )


model = run_option(required=True)
default_model = run_option(default="genres", show_default=True)
start = click.option(
    "--start",
    "start_seconds",
    type=Number(0),
    default=0.0,
    metavar="S",
    help="Start of the part to process, in seconds.",
)
seconds = click.option(
    "--seconds",
    type=Number(0, min_open=True),
    metavar="S",
    help="Duration to process, in seconds.",
)
seed = click.option("--seed", type=SEED, help="Random seed; short for --set seed=N.")
bits = click.option(
    "--bits",
    type=click.Choice(["16", "24", "32"]),
    callback=lambda context, parameter, value: value and int(value),
    help="Bits per sample of wav (32 is float) and flac; by default 24.",
)


def recipe(default: str) -> Decorator:
    """Return the option for the recipe."""
    return click.option(
        "--config",
        "name",
        default=default,
        show_default=True,
        help="Name or path of the recipe.",
    )


def overriding(example: str) -> Decorator:
    """Return the option that overrides settings; the example is one of the command."""
    return click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help=f"Override a setting, such as {example}. Repeatable.",
    )


def as_overrides(**settings: Any) -> list[str]:
    """Convert given options to overrides in the form of --set.

    >>> as_overrides(seed=7, mix=None, objective="class_logit(café)")
    ['seed=7', 'objective="class_logit(café)"']
    """
    from tfdream.config import as_override

    return [as_override(key, value) for key, value in settings.items() if value is not None]


def _band(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, float]:
    """Convert a band such as ``40-8000``, ``40-`` or ``-8000`` to settings."""
    low, dash, high = (value or "-").partition("-")
    try:
        limits = {"filter.low_hz": low, "filter.high_hz": high}
        settings = {name: float(hz) for name, hz in limits.items() if hz}
    except ValueError:
        dash = ""
    if not dash or (value is not None and not settings):
        raise click.BadParameter(
            f"'{value}' is not a band in Hz such as 40-8000, 40- or -8000", context, parameter
        )
    return settings


filter_band = click.option(
    "--filter",
    "band",
    metavar="LOW-HIGH",
    callback=_band,
    help="Attenuate the output outside of this band in Hz: 40-8000, 40- or -8000. Short for "
    "--set filter.low_hz=… and --set filter.high_hz=…",
)
figure = click.option("--figure", type=PATH, help="Also draw a figure here (PNG, SVG or PDF).")
