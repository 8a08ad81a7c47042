"""The components of the page and their places."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from tfdream.studio import presentation
from tfdream.studio.controls import text, upload, upload_several
from tfdream.studio.history import History
from tfdream.studio.jobs import JobQueue, Status
from tfdream.studio.output_section import OutputSection
from tfdream.studio.tasks import TASKS, runs_for
from tfdream.studio.uploads import Limits

_FOLDER = Path(__file__).parent
_MOST_SEEDS = 8
_PREVIEW_EVERY = 10


@dataclass(frozen=True)
class Studio:
    """The state behind the page: queue, history, uploads, runs and recipes.

    Attributes:
      queue: carries out the jobs.
      history: the finished jobs.
      inputs: folder of the loaded recordings.
      limits: limits of a recording.
      runs: run folders beside the installed presets.
      recipes: paths of recipes beside the packaged ones, by task.
    """

    queue: JobQueue
    history: History
    inputs: Path
    limits: Limits
    runs: tuple[str, ...] = ()
    recipes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def recipes_for(self, task: str) -> list[str]:
        """Return the recipes of a task, the default one first."""
        return [*TASKS[task].recipes(), *self.recipes.get(task, ())]

    def runs_for(self, task: str) -> list[str]:
        """Return the networks of a task, the default one first."""
        return runs_for(TASKS[task], self.runs)


class Layout(abc.ABC):
    """The components of the page.

    Args:
      studio: the state behind the page.
      page: the page that they are placed on.
    """

    def __init__(self, studio: Studio, page: gr.Blocks) -> None:
        self.studio = studio
        self.page = page
        gr.Markdown("# tfdream studio")
        # Choices by the attribute of a job, and the task. Recordings are the paths of stored
        # copies; the components contain temporary files.
        recordings = {name: gr.State(None) for name in ("first", "second", "style")}
        self.choices: dict[str, Any] = {**recordings, "overrides": gr.State(())}
        self.more_paths = gr.State(())
        # Task, recipe and overrides from which the panel is generated.
        self.panel = gr.State(panel_of("dream", TASKS["dream"].recipe))
        with gr.Row():
            with gr.Column(min_width=320):
                self._place_choices()
                self._place_panel()
            with gr.Column(min_width=320):
                self._place_progress()
                self._place_results()

    @abc.abstractmethod
    def show_settings(self) -> None:
        """Place the controls of the settings."""

    def titles(self) -> list[tuple[str, str]]:
        """Return the choices of the history."""
        return [(entry.title, entry.name) for entry in self.studio.history.entries()]

    def _place_choices(self) -> None:
        dream = TASKS["dream"]
        self.choices["task"] = gr.Radio(
            [(f"{task.name}: {task.purpose}", task.name) for task in TASKS.values()],
            value="dream",
            label="task",
            elem_id="task",
            interactive=True,
        )
        self.recordings = {
            "first": upload(dream.first, "first"),
            "second": upload(dream.second, "second"),
            "style": upload("target style of the result, optional", "style", visible=False),
        }
        self.refused = text(visible=False, elem_id="refused")
        with gr.Accordion("more recordings", open=False, elem_id="section-more"):
            self.more = upload_several("the same job for each of these recordings", "more")
        self.choices["recipe"] = gr.Dropdown(
            self.studio.recipes_for("dream"), label="recipe", elem_id="recipe", interactive=True
        )
        self.choices["run"] = gr.Dropdown(
            run_choices("dream", self.studio.runs_for("dream")),
            label="network",
            elem_id="network",
            interactive=True,
        )
        self.choices["to"] = gr.Dropdown(
            [], label="target genre", visible=False, elem_id="to", interactive=True
        )

    def _place_panel(self) -> None:
        with gr.Group():
            self.invalid = text(visible=False, elem_id="invalid")
            self.show_settings()
        self.section = OutputSection(self.studio.runs_for("predict"))
        self.choices |= self.section.controls
        self.every = gr.Number(
            _PREVIEW_EVERY,
            label="preview every N steps",
            info="0: no preview",
            minimum=0,
            precision=0,
            elem_id="every",
            interactive=True,
        )
        self.seeds = gr.Slider(
            1,
            _MOST_SEEDS,
            value=1,
            step=1,
            label="number of seeds, side by side",
            info="Recipes without a seed run once.",
            elem_id="seeds",
            interactive=True,
        )

    def _place_progress(self) -> None:
        with gr.Column(elem_id="actions"):
            with gr.Row():
                self.run = gr.Button("Run", variant="primary", min_width=90, elem_id="run")
                self.stop = gr.Button("Stop and keep", min_width=90, elem_id="stop")
                self.cancel = gr.Button("Cancel", variant="stop", min_width=90, elem_id="cancel")
            self.status = gr.HTML(
                presentation.status_value(Status()),
                html_template=_resource("status.html"),
                elem_id="status",
                elem_classes="status",
                js_on_load=None,
            )
        self.preview_sound = gr.Audio(
            label="preview",
            type="filepath",
            interactive=False,
            buttons=["download"],
            elem_id="preview-sound",
            visible=False,
        )
        self.preview_picture = gr.Image(
            label="spectrogram of the preview",
            type="filepath",
            interactive=False,
            elem_id="preview-picture",
            visible=False,
            buttons=[],
        )
        self.command = gr.Textbox(
            label="equivalent command",
            lines=2,
            max_lines=6,
            interactive=False,
            buttons=["copy"],
            elem_id="command",
        )

    def _place_results(self) -> None:
        self.results = gr.Dropdown(
            self.titles(),
            value=[],
            label="history: results to play and compare",
            multiselect=True,
            elem_id="results",
            interactive=True,
        )
        self.players = gr.HTML(
            [],
            html_template=_resource("players.html"),
            js_on_load=_resource("players.js"),
            elem_id="players",
        )
        gr.Markdown(
            "Press a name to switch at the same position; while a player has the focus, the keys 1 "
            "to 9 switch too."
        )
        self.findings = text(elem_id="findings")
        with gr.Row():
            self.again = gr.Button("Repeat", min_width=90, elem_id="again")
            self.use = gr.Button("Use its settings", min_width=90, elem_id="use")
            self.make_report = gr.Button("Make report page", min_width=90, elem_id="make-report")
        with gr.Row():
            self.get_audio = _download_button("Download audio", "get-audio")
            self.get_settings = _download_button("Download settings", "get-settings")
            self.downloads = {
                "report": _download_button("Download page", "get-report"),
                "video": _download_button("Download video", "get-video", visible=False),
                "figure": _download_button("Download figure", "get-figure", visible=False),
            }
        with gr.Accordion("all measures", open=False, elem_id="section-measures"):
            self.measures = gr.Dataframe(interactive=False, wrap=True, elem_id="measures")
        with gr.Accordion("all settings", open=False, elem_id="section-settings"):
            self.settings = gr.Code(
                language="yaml", interactive=False, lines=3, max_lines=30, elem_id="settings"
            )


def run_choices(task: str, runs: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and values of the choices of a network; the value without one is empty.

    >>> run_choices("compare", ["genres"])
    [('none', ''), ('genres', 'genres')]
    """
    without = "the recipe's own" if TASKS[task].has_recipe else "none"
    choices = [(run, run) for run in runs]
    return choices if TASKS[task].needs_run else [(without, ""), *choices]


def panel_of(
    task: str, recipe: str | None, overrides: tuple[str, ...] = (), opened: str = ""
) -> dict[str, Any]:
    """Return from which settings the controls are generated, and the section that is open."""
    content = {"recipe": recipe or "", "overrides": list(overrides), "opened": opened}
    return {"task": task, **content}


def _download_button(label: str, elem_id: str, visible: bool = True) -> Any:
    return gr.DownloadButton(
        label, interactive=False, min_width=90, elem_id=elem_id, visible=visible
    )


def _resource(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
