"""Controls of part, stems, loop and output: choices that are no settings of a recipe."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from tfdream.config.base import LARGEST
from tfdream.studio.controls import upload_several
from tfdream.studio.job import FORMATS, TASKS_OF, Job, presentations_of
from tfdream.studio.stems import Stems, names_of
from tfdream.synthesis.rendering.sources import COMPONENTS

_PRESENTATIONS = {"video": "video", "figure": "figure", "report": "report page"}
EVERYTHING = ""
"""Value of the control of the part if all is processed."""
_EMPTY = {"part": EVERYTHING, "judge": "", "name": "", "loop": False, "keep_falling": False}
"""Values of controls for choices that are not made; numbers are 0."""


class OutputSection:
    """A section with the choices of a job that its recipe does not contain.

    Args:
      judges: runs and presets of classifiers.

    Attributes:
      controls: components by the attribute of `Job`.
      stem_files: upload of stems.
      stem_names: their names, in the order of the files.
    """

    def __init__(self, judges: Sequence[str]) -> None:
        self.judges = judges
        self.controls: dict[str, Any] = {"stems": gr.State(())}
        with gr.Accordion("part and output", open=False, elem_id="section-output"):
            self._place_part()
            self._place_stems()
            self._place_output()
            self._place_measures()

    def updates(self, task: str) -> dict[Any, Any]:
        """Return updates of `controls`, by component, that show those of a task."""
        seconds = "0: 30 seconds" if task == "generate" else "0: everything"
        made = [(_PRESENTATIONS[each], each) for each in presentations_of(task)]
        more: dict[str, Any] = {"seconds": {"info": seconds}, "presentations": {"choices": made}}
        return {
            control: gr.update(visible=task in TASKS_OF[name], **more.get(name, {}))
            for name, control in self.controls.items()
            if name != "stems"
        }

    def stem_updates(self, task: str, stems: Stems = ()) -> dict[Any, Any]:
        """Return updates of `stem_files` and `stem_names`, by component."""
        visible = task in TASKS_OF["stems"]
        return {
            self.stem_files: gr.update(visible=visible, value=[path for _, path in stems] or None),
            self.stem_names: gr.update(visible=visible and bool(stems), value=names_of(stems)),
        }

    def restored(self, job: Job) -> dict[Any, Any]:
        """Return updates of `controls`, by component, that show the choices of a job."""
        updates = self.updates(job.task)
        for name, control in self.controls.items():
            value = getattr(job, name)
            if name == "stems":
                updates[control] = value
                continue
            shown = list(value) if isinstance(value, tuple) else value or _EMPTY.get(name, 0)
            updates[control] |= {"value": shown}
        updates[self.controls["part"]] |= {"choices": part_choices(job.stems)}
        updates[self.controls["judge"]] |= {"choices": self._judge_choices(job.judge)}
        return updates

    def _judge_choices(self, chosen: str | None = None) -> list[tuple[str, str]]:
        """Return the names and values of the choices of a judge."""
        judges = with_chosen(self.judges, chosen)
        return [("none", ""), *((judge, judge) for judge in judges)]

    def _place_part(self) -> None:
        self.controls["start_seconds"] = gr.Number(
            0,
            label="start in seconds",
            minimum=0,
            maximum=LARGEST,
            elem_id="start",
            interactive=True,
        )
        self.controls["seconds"] = gr.Number(
            0,
            label="duration in seconds",
            info="0: everything",
            minimum=0,
            maximum=LARGEST,
            elem_id="seconds",
            interactive=True,
        )
        self.controls["part"] = gr.Dropdown(
            part_choices(),
            value=EVERYTHING,
            label="part",
            info="The rest is added unchanged.",
            elem_id="part",
            interactive=True,
        )

    def _place_stems(self) -> None:
        self.stem_files = upload_several(
            "stems: parts that another program separated, such as drums.wav", "stems"
        )
        self.stem_names = gr.Textbox(
            label="names of the stems, in the order of the files",
            info="Choose one of them as part.",
            visible=False,
            elem_id="stem-names",
            interactive=True,
        )

    def _place_output(self) -> None:
        self.controls["loop"] = gr.Checkbox(
            False,
            label="loop",
            info="The end of the output continues into its beginning.",
            elem_id="loop",
            interactive=True,
        )
        self.controls["name"] = gr.Textbox(
            label="name of the file",
            placeholder="{stem}-{command}",
            info="Fields: {stem} (of the recording), {command}, {config}, {model}, {seed}.",
            elem_id="name",
            interactive=True,
        )
        self.controls["audio_format"] = gr.Dropdown(
            list(FORMATS), value="flac", label="format", elem_id="format", interactive=True
        )
        self.controls["bits"] = gr.Dropdown(
            [("default", 0), ("16", 16), ("24", 24), ("32", 32)],
            value=0,
            label="bits per sample",
            elem_id="bits",
            interactive=True,
        )
        self.controls["presentations"] = gr.CheckboxGroup(
            [(label, each) for each, label in _PRESENTATIONS.items()],
            value=[],
            label="also make",
            info="The video shows the spectrogram with a moving cursor.",
            elem_id="presentations",
            interactive=True,
        )
        self.controls["save_every"] = gr.Number(
            0,
            label="save every N steps",
            info="0: no intermediate results. A video shows and plays them in turn.",
            minimum=0,
            precision=0,
            elem_id="save-every",
            interactive=True,
        )
        self.controls["keep_falling"] = gr.Checkbox(
            False,
            label="keep falling",
            info="Also write passages whose objective is worse than before.",
            elem_id="keep-falling",
            interactive=True,
        )

    def _place_measures(self) -> None:
        self.controls["judge"] = gr.Dropdown(
            self._judge_choices(),
            value="",
            label="judge",
            info="Its probabilities before and after are on the report page, which is also made.",
            elem_id="judge",
            interactive=True,
        )
        self.controls["unknown_below"] = gr.Number(
            0,
            label="unknown below",
            info="Smallest probability of a label; 0: every recording gets a label.",
            minimum=0,
            maximum=1,
            visible=False,
            elem_id="unknown-below",
            interactive=True,
        )


def with_chosen(offered: Sequence[str], chosen: str | None) -> list[str]:
    """Return choices with that of a job, which need not be among the offered ones.

    >>> with_chosen(["genres"], "mine"), with_chosen(["genres"], None)
    (['genres', 'mine'], ['genres'])
    """
    return list(dict.fromkeys([*offered, *([chosen] if chosen else [])]))


def part_choices(stems: Stems = ()) -> list[tuple[str, str]]:
    """Return the choices of a part: everything, the stems, and what is separated here."""
    return [("everything", EVERYTHING), *((name, name) for name in (*dict(stems), *COMPONENTS))]
