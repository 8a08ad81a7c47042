"""The commands that draw figures: one for each module in `tfdream.figures` that has options."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class FigureGroup(click.Group):
    """The sub-commands of `tfdream plot`, found by listing the package of the figures."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from tfdream import figures

        return [name.replace("_", "-") for name in figures.names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from tfdream import figures

        if cmd_name not in self.list_commands(ctx):
            return None
        return _command(cmd_name, figures.load(cmd_name.replace("-", "_")))


@click.group(cls=FigureGroup)
def plot() -> None:
    """Draw a figure: PNG, SVG or PDF, by the extension of OUTPUT.

    Confusion matrices are drawn by evaluate and crossvalidate --figure.
    """


def _command(name: str, figure: ModuleType) -> click.Command:
    """Build the command of a figure from the fields of its options."""
    schema = figure.Options
    parameters = {name: _parameter(name, field) for name, field in schema.model_fields.items()}

    def draw(output: Path, **arguments: Any) -> Result:
        from pydantic import ValidationError

        from tfdream.figures.parts import sheet

        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            settings = schema(**given)
        except ValidationError as error:
            problem = error.errors()[0]
            parameter = parameters.get(str(problem["loc"][0])) if problem["loc"] else None
            message = problem["msg"].removeprefix("Value error, ")
            raise click.BadParameter(message, param=parameter) from None
        sheet.check_writable(output)
        drawing = figure.draw(settings)
        sheet.write(drawing.figure, output)
        return {"figure": str(output), **drawing.details}

    draw.__doc__ = schema.__doc__
    built = command(name)(draw)
    arguments = [each for each in parameters.values() if isinstance(each, click.Argument)]
    flags = [each for each in parameters.values() if isinstance(each, click.Option)]
    output = click.Argument(["output"], type=options.PATH)
    built.params[:0] = [*arguments, output, *flags]
    return built


def _parameter(name: str, field: "FieldInfo") -> click.Parameter:
    """Build the argument or the option of a field."""
    from tfdream.figures.base import Argument, Option

    types = get_args(field.annotation) or (field.annotation,)
    kind = next(each for each in types if each not in (type(None), Ellipsis))
    kind = options.PATH if kind is Path else kind
    repeated = get_origin(field.annotation) is tuple
    if any(isinstance(mark, Argument) for mark in field.metadata):
        return click.Argument([name], type=kind, nargs=-1 if repeated else 1, required=True)
    mark = next((each for each in field.metadata if isinstance(each, Option)), Option())
    default = {} if field.is_required() else {"default": field.get_default()}
    return click.Option(
        [mark.flag or f"--{name.replace('_', '-')}", name],
        type=kind,
        is_flag=kind is bool,
        multiple=repeated,
        required=field.is_required(),
        show_default=not field.is_required() and bool(field.default),
        metavar=mark.metavar,
        help=field.description,
        **default,
    )
