"""Gradio components for the settings of a recipe, and for uploads."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import gradio as gr

from tfdream.errors import TfdreamError
from tfdream.studio.literal import literal
from tfdream.studio.settings_panel import MAIN, Setting

_GENERAL = "general"


def control(setting: Setting, is_strength: bool = False) -> Any:
    """Return the component that shows and changes a setting.

    Args:
      setting: the setting.
      is_strength: whether it is the strength of the recipe.
    """
    name = "strength" if is_strength else setting.key.rpartition(".")[2]
    is_short = is_strength or setting.key in MAIN
    label = f"{name} ({setting.key})" if is_short and name != setting.key else setting.key
    info = setting.description or None
    common: dict[str, Any] = {
        "label": label,
        "info": info,
        "elem_id": element_id(setting.key),
        "interactive": True,
    }
    if setting.kind == "switch":
        return gr.Checkbox(setting.shown, **common)
    if setting.kind in ("choice", "section"):
        return gr.Dropdown(list(setting.choices), value=setting.shown, **common)
    if setting.kind == "choices":
        return gr.CheckboxGroup(list(setting.choices), value=setting.shown, **common)
    low, high = setting.minimum, setting.maximum
    if setting.kind == "number" and low is not None and high is not None:
        step = 1 if setting.integer else (high - low) / 100
        return gr.Slider(low, high, value=setting.shown, step=step, **common)
    if setting.kind == "number":  # the schema checks the limits and names the setting
        return gr.Number(setting.shown, **common)
    return gr.Textbox(setting.shown or "", **common)


def element_id(key: str) -> str:
    """Return the identifier of a setting's control in the page.

    >>> element_id("optimizer.step_size")
    'setting-optimizer-step_size'
    """
    return "setting-" + key.replace(".", "-")


def place(settings: Sequence[Setting], strength: Sequence[str], opened: str = "") -> list[Any]:
    """Place the controls of all settings on the page, the main ones first, the others by section.

    Args:
      settings: the settings of a recipe.
      strength: settings of the strength; the first that the recipe has is the strength.
      opened: name of the section that is open; the others are closed.

    Returns:
      The components, in the order of the settings.
    """
    keys = {setting.key for setting in settings}
    strongest = next((key for key in strength if key in keys), None)
    main = [key for key in (strongest, *MAIN) if key in keys]
    placed: dict[str, Any] = {}
    for setting in sorted(
        (setting for setting in settings if setting.key in main),
        key=lambda setting: main.index(setting.key),
    ):
        placed[setting.key] = control(setting, setting.key == strongest)
    for title, members in _sections([each for each in settings if each.key not in main]):
        with gr.Accordion(title, open=title == opened, elem_id=f"section-{title}"):
            for setting in members:
                placed[setting.key] = control(setting)
    return [placed[setting.key] for setting in settings]


def upload(label: str, elem_id: str, visible: bool = True) -> Any:
    """Return the component that uploads and plays a recording."""
    return gr.Audio(
        label=label,
        sources=["upload"],
        type="filepath",
        editable=False,
        buttons=[],
        elem_id=elem_id,
        interactive=True,
        visible=visible,
    )


def upload_several(label: str, elem_id: str) -> Any:
    """Return the component that uploads any number of recordings."""
    return gr.File(
        label=label,
        file_count="multiple",
        type="filepath",
        height=120,
        elem_id=elem_id,
        interactive=True,
    )


def text(value: str | None = None, *, elem_id: str, visible: bool = True) -> Any:
    """Return the component that shows Markdown with texts that are `literal`."""
    return gr.Markdown(value, elem_id=elem_id, visible=visible, latex_delimiters=[])


def refusal(error: TfdreamError) -> Any:
    """Return the update of a hidden text that shows an error."""
    return gr.update(value=literal(f"Error: {error}"), visible=True)


def _sections(settings: Sequence[Setting]) -> Iterator[tuple[str, list[Setting]]]:
    ordered = sorted(settings, key=lambda setting: setting.group)
    for group, members in groupby(ordered, key=lambda setting: setting.group):
        yield group or _GENERAL, list(members)
