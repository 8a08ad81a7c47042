"""Controls that make a curve of a setting."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from tfdream.config.curves import EASINGS
from tfdream.studio.controls import text, upload
from tfdream.studio.curve_panel import UNITS, CurveControls
from tfdream.studio.literal import literal

_DEFAULT_POINTS = "0:0, 4:1"
_DEFAULT_TEMPO = 120


class CurveSection:
    """A section that makes a curve: a setting that varies over time.

    Args:
      settings: settings that can be curves.
      chosen: the one that is chosen first.
      present: description of the present curves; empty if there are none.
      opened: whether the section is open.

    Attributes:
      inputs: components in the order of the attributes of `CurveControls`.
      follow: upload of a recording that the curve follows, and `path` its stored copy.
      add, remove: buttons that add the curve to the settings, and that remove all curves.
    """

    def __init__(
        self, settings: Sequence[str], chosen: str | None, present: str, opened: bool
    ) -> None:
        with gr.Accordion("curve: vary a setting over time", open=opened, elem_id="section-curve"):
            text(
                literal(f"Curves: {present}") if present else "No setting is a curve.",
                elem_id="curves-present",
            )
            self.path = gr.State(None)
            self.inputs: list[Any] = [
                gr.Dropdown(
                    list(settings),
                    value=chosen if chosen in settings else next(iter(settings), None),
                    label="setting",
                    elem_id="curve-setting",
                    interactive=True,
                ),
                gr.Textbox(
                    _DEFAULT_POINTS,
                    label="points",
                    info="Pairs of time:value. Between them, the value follows the easing.",
                    elem_id="curve-points",
                    interactive=True,
                ),
                gr.Dropdown(
                    list(UNITS),
                    value=UNITS[0],
                    label="unit of the times",
                    elem_id="curve-unit",
                    interactive=True,
                ),
                gr.Number(
                    _DEFAULT_TEMPO,
                    label="tempo in beats per minute",
                    info="For beats at a tempo.",
                    minimum=1,
                    elem_id="curve-tempo",
                    interactive=True,
                ),
                gr.Dropdown(
                    list(EASINGS),
                    value=EASINGS[0],
                    label="easing",
                    elem_id="curve-easing",
                    interactive=True,
                ),
                gr.Checkbox(
                    False,
                    label="repeat",
                    info="The time of the last point is the period.",
                    elem_id="curve-repeat",
                    interactive=True,
                ),
            ]
            self.follow = upload(
                "follow the loudness of a recording instead of points, optional", "follow"
            )
            self.inputs += [
                self.path,
                gr.Number(0, label="value at its softest", elem_id="curve-low", interactive=True),
                gr.Number(1, label="value at its loudest", elem_id="curve-high", interactive=True),
            ]
            with gr.Row():
                self.add = gr.Button("Add curve", min_width=90, elem_id="add-curve")
                self.remove = gr.Button("Remove curves", min_width=90, elem_id="remove-curves")


def controls_of(values: Sequence[Any]) -> CurveControls:
    """Return what the components of `CurveSection.inputs` contain."""
    setting, points, unit, tempo, easing, repeat, follow, low, high = values
    return CurveControls(setting, points or "", unit, tempo, easing, repeat, follow, low, high)
