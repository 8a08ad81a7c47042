"""Options of `prepare` for the layouts of a source, generated from the registered layouts."""

from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click

from tfdream.commands import options


class LayoutCommand(click.Command):
    """A command with ``--layout`` and an option for each setting of each layout.

    The command's function receives `layout`, and `layout_options`: the settings that were given.
    Layouts are listed when the command runs or shows its help, so that ``tfdream --help`` does not
    import them.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*_layout_parameters(), *super().get_params(ctx)]

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        context = super().make_context(*args, **extra)
        context.params.setdefault("layout_options", {})
        return context


def _layout_parameters() -> list[click.Parameter]:
    from tfdream.datasets.sources.find import AUTO, layouts

    names = click.Choice([AUTO, *layouts()])
    parameters: list[click.Parameter] = [
        click.Option(
            ["--layout"],
            type=names,
            default=AUTO,
            show_default=True,
            help="Layout of SOURCE: one sub-folder per label, a CSV manifest, or a collection.",
        )
    ]
    for layout in layouts().values():
        for field_name, field in layout.model_fields.items():
            if field_name != "kind":
                flag = f"--{field_name.replace('_', '-')}"
                parameters.append(
                    click.Option(
                        [flag],
                        type=_option_type(field.annotation),
                        help=field.description,
                        expose_value=False,
                        callback=_store,
                    )
                )
    return parameters


def _store(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None and parameter.name:
        context.params.setdefault("layout_options", {})[parameter.name] = value


def _option_type(annotation: Any) -> Any:
    """Return the click type for the type of a setting."""
    if get_origin(annotation) in (Union, UnionType):  # an optional setting
        (annotation,) = (each for each in get_args(annotation) if each is not type(None))
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    return options.PATH if annotation is Path else annotation
