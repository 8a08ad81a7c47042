"""The interface between figures and `tfdream plot`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from matplotlib.figure import Figure
from pydantic import Field, model_validator

from tfdream.config.base import Config


@dataclass(frozen=True)
class Argument:
    """Marks a field of `FigureOptions` that is a positional argument of the command."""


@dataclass(frozen=True)
class Option:
    """Marks a field of `FigureOptions` whose option does not follow from the field's name.

    Attributes:
      flag: name of the option; by default that of the field.
      metavar: placeholder of the value in the help text; by default the type of the field.
    """

    flag: str | None = None
    metavar: str | None = None


AudioFiles = Annotated[tuple[Path, ...], Argument()]
Overrides = Annotated[tuple[str, ...], Option("--set", "KEY=VALUE")]
Recipe = Annotated[str, Option("--config"), Field(description="Name or path of the recipe.")]


def overridden(example: str) -> Any:
    """Return a field of `Overrides`; the example is one of the figure."""
    return Field((), description=f"Override a setting, such as {example}. Repeatable.")


class FigureOptions(Config):
    """The options of a figure; the docstring of a subclass is the help text of its command.

    Every field is an option of the command, or a positional argument if it is marked with
    `Argument`. The output file is no field: the command adds it.
    """


class AudioFigureOptions(FigureOptions):
    """The options of a figure of several audio files, each with a title."""

    audio: AudioFiles
    titles: Annotated[
        tuple[str, ...],
        Option("--title", "T"),
        Field(description="Title of an AUDIO file, in their order; by default the file name."),
    ] = ()

    @model_validator(mode="after")
    def _check_titles(self) -> "AudioFigureOptions":
        if len(self.titles) > len(self.audio):
            raise ValueError(
                f"--title is given {len(self.titles)} times for {len(self.audio)} AUDIO; "
                "give at most one for each"
            )
        return self

    @property
    def names(self) -> list[str]:
        """The title of each file."""
        return titles_of(self.audio, self.titles)


class Drawing(NamedTuple):
    """A figure, and what the command reports about it.

    Attributes:
      figure: the figure.
      details: further entries of the command's JSON object.
    """

    figure: Figure
    details: dict[str, Any] = {}  # noqa: RUF012  (never changed)


def titles_of(paths: Sequence[Path], titles: Sequence[str]) -> list[str]:
    """Return a title for each file: the given ones, then file names."""
    return [*titles, *(path.name for path in paths[len(titles) :])]
