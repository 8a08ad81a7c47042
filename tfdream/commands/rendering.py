"""Options of the commands that change or generate audio, gathered in one argument."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfdream.commands import options, standard_output

if TYPE_CHECKING:
    from tfdream.synthesis.rendering.names import Names
    from tfdream.synthesis.rendering.options import OutputOptions, RenderOptions

_TEMPO = re.compile(r"(\d+(?:\.\d+)?)bpm")
_NEXT_STEM = re.compile(r",(?=[^,=]+=)")


def parse_curve(text: str) -> tuple[str, dict[str, Any]]:
    """Convert a curve such as ``mix=0:0,4:1@beats@smooth@repeat`` to a setting and its section.

    Args:
      text: the setting, pairs of time and value, and after each ``@`` one of: seconds, beats, a
        tempo such as 120bpm, linear, smooth, step, repeat.

    Raises:
      ValueError: if the text has another form.

    >>> parse_curve("mix=0:0,4:1@beats")
    ('mix', {'points': [[0.0, 0.0], [4.0, 1.0]], 'unit': 'beats'})
    """
    from tfdream.config.curves import EASINGS, parse_points

    name, equals, rest = text.partition("=")
    points, *words = rest.split("@")
    if not (name and equals and points):
        raise ValueError(f"'{text}' is not SETTING=TIME:VALUE,…, such as mix=0:0,4:1@beats")
    curve: dict[str, Any] = {"points": parse_points(points)}
    for word in words:
        tempo = _TEMPO.fullmatch(word)
        if tempo:
            curve |= {"unit": "beats", "tempo": float(tempo[1])}
        elif word in ("seconds", "beats"):
            curve["unit"] = word
        elif word in EASINGS:
            curve["easing"] = word
        elif word == "repeat":
            curve["repeat"] = True
        else:
            raise ValueError(
                f"'@{word}' is none of @seconds, @beats, @120bpm, @linear, @smooth, @step, @repeat"
            )
    return name, curve


def parse_follower(text: str) -> tuple[str, dict[str, Any]]:
    """Convert a curve such as ``mix=drums.wav`` or ``mix=drums.wav@0.2:0.9``.

    Args:
      text: the setting, the audio file that it follows, and the values at its softest and loudest;
        an ``@`` without ``LOW:HIGH`` after it is part of the name.

    Raises:
      ValueError: if the text has another form.

    >>> parse_follower("mix=drums.wav@0.2:0.9")
    ('mix', {'follow': 'drums.wav', 'range': [0.2, 0.9]})
    """
    name, equals, rest = text.partition("=")
    path, at, limits = rest.rpartition("@")
    if not at or ":" not in limits or "/" in limits:
        path, limits = rest, "0:1"
    low, _, high = limits.partition(":")
    try:
        values = [float(low), float(high)]
    except ValueError:
        raise ValueError(f"'@{limits}' is not @LOW:HIGH, such as @0.2:0.9") from None
    if not (name and equals and path):
        raise ValueError(f"'{text}' is not SETTING=AUDIO, such as mix=drums.wav")
    return name, {"follow": path, "range": values}


def _curves(parse: Callable[[str], tuple[str, dict[str, Any]]]) -> Callable[..., dict[str, Any]]:
    def convert(
        context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
    ) -> dict[str, Any]:
        curves: dict[str, Any] = {}
        for value in values:
            try:
                name, curve = parse(value)
            except ValueError as error:
                raise click.BadParameter(str(error), context, parameter) from None
            if name in curves:
                raise click.BadParameter(f"'{name}' is given twice", context, parameter)
            curves[name] = curve
        return curves

    return convert


@dataclass(frozen=True)
class Rendering:
    """The options of an output.

    Attributes:
      bits: bits per sample, or None.
      file_format: format of standard output, or None.
      force: overwrite existing outputs.
      curves: curves of settings by dotted key.
      part: the part of a recording that is processed, or None.
      stems: files of stems by name.
      loop: the end of the output continues into its beginning.
      pattern: pattern of the names of outputs in a folder, or None.
      number: number outputs instead of refusing names that exist.
    """

    bits: int | None
    file_format: str | None
    force: bool
    curves: dict[str, Any]
    part: str | None = None
    stems: dict[str, str] = field(default_factory=dict)
    loop: bool = False
    pattern: str | None = None
    number: bool = False

    @property
    def overrides(self) -> list[str]:
        """Overrides of the recipe, in the form of --set."""
        return options.as_overrides(curves=self.curves or None)

    def output(self, output: Path, into_folder: bool, has_fields: bool = False) -> Path:
        """Return the file or folder to write; see `standard_output.temporary`.

        Args:
          output: the argument of the command.
          into_folder: whether the outputs are written into a folder, and so have names.
          has_fields: whether fields in the name will be replaced, before outputs are numbered.

        Raises:
          UsageError: if names are given, but the output is not a folder.
        """
        if self.pattern is not None and not into_folder:
            raise click.UsageError(f"--name is for an OUTPUT folder; '{output}' is one file")
        is_file = not has_fields and not standard_output.is_named(output) and not output.is_dir()
        if self.number and is_file:
            output = self.names().free(output)
        return standard_output.temporary(output, self.file_format)

    def names(
        self, command: str = "", config: str = "", model: Path | None = None, seed: int = 0
    ) -> "Names":
        """Return the names of outputs in a folder.

        Args:
          command: name of the command.
          config: name or path of the recipe.
          model: run folder or preset.
          seed: random seed.
        """
        from tfdream.synthesis.rendering.names import Names

        fields = {
            "command": command,
            "config": Path(config).stem,
            "model": model.name if model else "",
            "seed": str(seed),
        }
        return Names(self.pattern or "{stem}", fields, self.number)

    def output_options(self) -> "OutputOptions":
        """Return the options of an output."""
        from tfdream.synthesis.rendering.options import OutputOptions

        return OutputOptions(self.bits, self.force)

    def options(
        self,
        start_seconds: float = 0.0,
        seconds: float | None = None,
        save_every: int | None = None,
        keep_falling: bool = False,
    ) -> "RenderOptions":
        """Return the options for rendering a changed file."""
        from tfdream.synthesis.rendering.options import RenderOptions

        return RenderOptions(
            bits=self.bits,
            force=self.force,
            start_seconds=start_seconds,
            seconds=seconds,
            save_every=save_every,
            keep_falling=keep_falling,
            part=self.part,
            stems=self.stems,
            loop=self.loop,
        )


def _stems(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Convert stems; see `_split_stems`."""
    stems: dict[str, str] = {}
    for text in itertools.chain.from_iterable(map(_split_stems, values)):
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(
                f"'{text}' is not NAME=AUDIO, such as drums=drums.wav", context, parameter
            )
        if name in stems:
            raise click.BadParameter(f"'{name}' is given twice", context, parameter)
        stems[name] = path
    return stems


def _split_stems(text: str) -> Iterator[str]:
    """Yield each NAME=AUDIO of a list.

    A comma is part of a path if no NAME= follows it, or if the path with it is that of a file.
    """
    pieces = _NEXT_STEM.split(text)
    while pieces:
        counts = range(len(pieces), 1, -1)
        count = next((each for each in counts if _names_file(",".join(pieces[:each]))), 1)
        yield ",".join(pieces[:count])
        pieces = pieces[count:]


def _names_file(stem: str) -> bool:
    return Path(stem.partition("=")[2]).is_file()


_PART_OPTIONS = (
    click.option(
        "--part",
        metavar="harmonic|percussive|mid|side|STEM",
        help="Process this part of the recording only, and add the unchanged rest.",
    ),
    click.option(
        "--stems",
        metavar="NAME=AUDIO,…",
        multiple=True,
        callback=_stems,
        help="Stems of the recording that another program separated, for --part NAME. Repeatable.",
    ),
    click.option(
        "--loop", is_flag=True, help="Let the end of the output continue into its beginning."
    ),
)


def _curve_options(example: str, follower: str, beats: str) -> tuple[Callable[..., Any], ...]:
    """Return the options of curves, with examples and the beats that the command has."""
    return (
        click.option(
            "--curve",
            "curves",
            metavar="SETTING=TIME:VALUE,…",
            multiple=True,
            callback=_curves(parse_curve),
            help=f"Vary a setting over time, such as {example}: points in seconds or {beats}, "
            "@linear, @smooth or @step between them. Repeatable.",
        ),
        click.option(
            "--follow",
            "followers",
            metavar="SETTING=AUDIO",
            multiple=True,
            callback=_curves(parse_follower),
            help=f"Let a setting follow the loudness of another recording, such as {follower}, "
            "from the first value to the second one. Its start is the start of the output. "
            "Repeatable.",
        ),
    )


_CURVES_OF_RECORDINGS = _curve_options(
    "mix=0:0,4:1@beats@smooth@repeat", "mix=drums.wav@0.2:0.9", "@beats (detected, or @120bpm)"
)
_CURVES_OF_TEMPERATURE = _curve_options(
    "temperature=0:0.5,4:1.2@120bpm@repeat", "temperature=drums.wav@0.5:1.2", "in beats (@120bpm)"
)
_OPTIONS = (
    click.option(
        "--name",
        "pattern",
        metavar="PATTERN",
        help="Names of outputs in a folder, such as '{stem}-{config}'; fields: stem, command, "
        "config, model, seed.",
    ),
    click.option(
        "--number",
        is_flag=True,
        help="Add -1, -2, … to the name of an output that exists, instead of refusing it.",
    ),
    options.bits,
    standard_output.format_option,
    options.force,
)


_FIELDS = ("bits", "file_format", "force", "part", "loop", "pattern", "number")
"""Options whose values `Rendering` has as they are."""


def rendering_options(
    changes: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the options; it receives them as one argument, `rendering`.

    Args:
      changes: whether the command changes a recording, which has parts, loops and beats; otherwise
        it generates audio.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_rendering(
            curves: dict[str, Any],
            followers: dict[str, Any],
            stems: dict[str, str] | None = None,
            **arguments: Any,
        ) -> Any:
            repeated = curves.keys() & followers.keys()
            if repeated:
                raise click.UsageError(
                    f"--curve and --follow of '{min(repeated)}' exclude each other; remove one"
                )
            own = {key: arguments.pop(key) for key in _FIELDS if key in arguments}
            if stems and own["part"] not in stems:
                raise click.UsageError(f"--stems needs --part with one of: {', '.join(stems)}")
            rendering = Rendering(curves=curves | followers, stems=stems or {}, **own)
            return function(rendering=rendering, **arguments)

        own_options = (
            (*_PART_OPTIONS, *_CURVES_OF_RECORDINGS) if changes else _CURVES_OF_TEMPERATURE
        )
        for option in reversed((*own_options, *_OPTIONS)):
            with_rendering = option(with_rendering)
        return with_rendering

    return decorate
