"""The part of the page with the settings of the recipe, and with curves of them."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from tfdream.config import Config
from tfdream.errors import TfdreamError
from tfdream.studio import curve_panel, settings_panel, uploads
from tfdream.studio.controls import place, refusal
from tfdream.studio.curve_section import CurveSection, controls_of
from tfdream.studio.layout import Layout, Studio, panel_of
from tfdream.studio.settings_panel import Setting
from tfdream.studio.tasks import TASKS, load

_CURVE = "curve"
"""Name of the section of curves among those that can be open."""


class Panel(Layout):
    """The components of the page; those of the settings are generated from the recipe."""

    def __init__(self, studio: Studio, page: gr.Blocks) -> None:
        self._copies: dict[str, Path] = {}
        super().__init__(studio, page)

    def show_settings(self) -> None:
        @gr.render(inputs=[self.panel], triggers=[self.panel.change, self.page.load])
        def show(panel: dict[str, Any]) -> None:
            if panel["recipe"]:
                base = tuple(panel["overrides"])
                config = load(panel["task"], panel["recipe"], base)
                self._show_settings(panel, base, config)
                self._show_curves(panel, config)

    def _show_settings(self, panel: dict[str, Any], base: tuple[str, ...], config: Config) -> None:
        task, recipe = panel["task"], panel["recipe"]
        settings = settings_panel.describe(config)
        controls = place(settings, TASKS[task].strength, panel["opened"])

        def read(*shown: Any) -> tuple[tuple[str, ...], Any]:
            try:
                given = _given(settings, shown, base)
                load(task, recipe, given)
            except TfdreamError as error:
                return gr.skip(), refusal(error)
            return given, gr.update(visible=False)

        def restructure(number: int, *shown: Any) -> Any:
            given, _ = read(*shown)
            # A dropdown also reports an input when it loses the focus.
            if shown[number] == settings[number].shown or not isinstance(given, tuple):
                return gr.skip()
            return panel_of(task, recipe, given, settings[number].group)

        gr.on(
            [control.input for control in controls],
            read,
            controls,
            [self.choices["overrides"], self.invalid],
            trigger_mode="always_last",
            show_progress="hidden",
        )
        for number, setting in enumerate(settings):
            if setting.kind == "section":
                controls[number].input(
                    functools.partial(restructure, number),
                    controls,
                    [self.panel],
                    show_progress="hidden",
                )

    def _show_curves(self, panel: dict[str, Any], config: Any) -> None:
        task, recipe = panel["task"], panel["recipe"]
        settings = curve_panel.curvable(config)
        strength = next((each for each in TASKS[task].strength if each in settings), None)
        opened = panel["opened"] == _CURVE
        section = CurveSection(settings, strength, curve_panel.summary(config), opened)
        overrides = self.choices["overrides"]
        changed = [self.panel, overrides, self.invalid]

        def add(overrides: Sequence[str], *values: Any) -> tuple[Any, ...]:
            try:
                controls = controls_of(values)
                current = load(task, recipe, overrides)
                given = curve_panel.added(overrides, current, controls)
                load(task, recipe, given)
            except TfdreamError as error:
                return gr.skip(), gr.skip(), refusal(error)
            return panel_of(task, recipe, given, _CURVE), given, gr.update(visible=False)

        def remove(overrides: Sequence[str]) -> tuple[Any, ...]:
            given = curve_panel.removed(overrides)
            return panel_of(task, recipe, given, _CURVE), given, gr.update(visible=False)

        section.follow.upload(
            self._keep_followed, [section.follow], [section.follow, section.path, self.invalid]
        )
        section.follow.clear(lambda: None, None, section.path, queue=False)
        section.add.click(add, [overrides, *section.inputs], changed, show_progress="hidden")
        section.remove.click(remove, [overrides], changed, show_progress="hidden")

    def _kept(self, files: Sequence[str] | None) -> tuple[str, ...]:
        """Return the copies of uploads."""
        return tuple(self._copy(upload) for upload in files or ())

    def _copy(self, upload: str) -> str:
        """Return the copy of an upload, which is checked and copied once."""
        copy = self._copies.get(upload)
        if copy is None or not copy.is_file():
            copy = uploads.keep(upload, self.studio.inputs, self.studio.limits)
            self._copies[upload] = copy
        return str(copy)

    def _keep_followed(self, upload: str) -> tuple[Any, ...]:
        try:
            path = self._copy(upload)
        except TfdreamError as error:
            return None, None, refusal(error)
        # The text of a setting is stored as it is, so it must not depend on the current folder.
        return gr.skip(), str(Path(path).absolute()), gr.update(visible=False)


def _given(
    settings: Sequence[Setting], shown: Sequence[Any], base: tuple[str, ...]
) -> tuple[str, ...]:
    return settings_panel.merged(base, settings_panel.overrides(settings, shown))
