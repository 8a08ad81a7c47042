"""The page: what its controls do."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from tfdream.errors import TfdreamError
from tfdream.runs import open_run
from tfdream.studio import presentation, settings_panel, uploads
from tfdream.studio.controls import place
from tfdream.studio.equivalent import command
from tfdream.studio.history import Entry
from tfdream.studio.jobs import Status
from tfdream.studio.layout import OWN_RUN, Layout, Studio, panel_of
from tfdream.studio.tasks import TASKS, Job, load


def build(studio: Studio) -> gr.Blocks:
    """Build the page."""
    with gr.Blocks(
        title="tfdream studio", analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        _Page(studio, page)
    page.queue(default_concurrency_limit=8, max_size=64, api_open=False)
    return page


class _Page(Layout):
    """The components, and the functions that their events call."""

    def __init__(self, studio: Studio, page: gr.Blocks) -> None:
        super().__init__(studio, page)
        self._connect()

    def _connect(self) -> None:
        choices = [
            *(self.task, self.first_path, self.second_path, self.recipe, self.run_choice),
            *(self.to, self.start, self.seconds, self.bits, self.keep_falling),
            *(self.unknown_below, self.audio_format, self.part, self.loop, self.overrides),
        ]
        for source, path in ((self.first, self.first_path), (self.second, self.second_path)):
            source.upload(self._keep, [source], [source, path, self.status], concurrency_limit=2)
            source.clear(lambda: None, None, path, queue=False)
        # The command follows these events: its own ones would see values of the former task.
        self.task.input(
            self._choose_task,
            [self.task],
            [
                *(self.first, self.second, self.recipe, self.run_choice, self.to),
                *(self.panel, self.overrides),
            ],
        ).then(self._show_command, choices, [self.command], show_progress="hidden")
        self.recipe.input(
            lambda task, recipe: (panel_of(task, recipe), ()),
            [self.task, self.recipe],
            [self.panel, self.overrides],
        )
        self.run_choice.change(self._genres, [self.task, self.run_choice], [self.to])
        gr.on(
            [self.page.load, *(choice.change for choice in choices if choice is not self.task)],
            self._show_command,
            choices,
            [self.command],
            trigger_mode="always_last",
            show_progress="hidden",
        )
        watched = [self.status, self.preview_sound, self.preview_picture, self.results]
        self.page.load(self._watch, None, watched, show_progress="hidden", concurrency_limit=None)
        self.run.click(
            self._run,
            [self.every, self.seeds, *choices],
            watched,
            show_progress="hidden",
            concurrency_limit=None,
        )
        self.again.click(
            self._repeat,
            [self.every, self.seeds, self.results],
            watched,
            show_progress="hidden",
            concurrency_limit=None,
        )
        self.stop.click(lambda: self.studio.queue.stop(keep=True), None, None, queue=False)
        self.cancel.click(lambda: self.studio.queue.stop(keep=False), None, None, queue=False)
        downloads = [self.get_audio, self.get_settings, self.get_report]
        self.results.change(
            self._show_results,
            [self.results],
            [self.players, self.findings, self.measures, self.settings, *downloads],
            show_progress="hidden",
        )
        self.make_report.click(self._report, [self.results], [self.get_report, self.status])
        self.restored = [
            *(self.task, self.first, self.first_path, self.second, self.second_path),
            *(self.recipe, self.run_choice, self.to, self.start, self.seconds, self.bits),
            *(self.keep_falling, self.unknown_below, self.audio_format, self.part, self.loop),
            *(self.panel, self.overrides),
        ]
        self.use.click(self._use, [self.results], self.restored).then(
            self._show_command, choices, [self.command], show_progress="hidden"
        )

    def _keep(self, upload: str | None) -> tuple[Any, str | None, Any]:
        if upload is None:
            return gr.skip(), None, gr.skip()
        try:
            path = uploads.keep(upload, self.studio.inputs, self.studio.limits)
        except TfdreamError as error:
            return None, None, self._problem(error)
        return gr.skip(), str(path), presentation.status_value(self.studio.queue.status)

    def _problem(self, error: TfdreamError) -> dict[str, Any]:
        return presentation.status_value(self.studio.queue.status, f"Error: {error}")

    def _choose_task(self, name: str) -> tuple[Any, ...]:
        task = TASKS[name]
        recipes, runs = self.studio.recipes_for(name), self.studio.runs_for(name)
        recipe = recipes[0] if recipes else None
        run = runs[0] if runs else None
        return (
            gr.update(label=task.first),
            gr.update(label=task.second, visible=bool(task.second)),
            gr.update(choices=recipes, value=recipe, visible=bool(recipes)),
            gr.update(choices=runs, value=run),
            gr.update(visible=name == "translate"),
            panel_of(name, recipe),
            (),
        )

    def _genres(self, task: str, run: str | None) -> Any:
        if task != "translate" or not run:
            return gr.update(visible=False)
        try:
            labels = open_run(run).labels
        except TfdreamError:
            return gr.update(visible=False)
        return gr.update(choices=labels, value=labels[-1], visible=True)

    def show_settings(self) -> None:
        @gr.render(inputs=[self.panel], triggers=[self.panel.change, self.page.load])
        def show(panel: dict[str, Any]) -> None:
            self._show_settings(panel)

    def _show_settings(self, panel: dict[str, Any]) -> None:
        task, recipe, base = panel["task"], panel["recipe"], tuple(panel["overrides"])
        if not recipe:
            return
        settings = settings_panel.describe(load(task, recipe, base))
        controls = place(settings, TASKS[task].strength, panel["opened"])

        def read(*shown: Any) -> tuple[tuple[str, ...], Any]:
            try:
                changed = settings_panel.overrides(settings, shown)
                given = settings_panel.merged(base, changed)
                load(task, recipe, given)
            except TfdreamError as error:
                return gr.skip(), gr.update(value=f"Error: {error}", visible=True)
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
            [self.overrides, self.invalid],
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

    def _job(self, *values: Any) -> Job:
        task, first, second, recipe, run, to, start, seconds = values[:8]
        bits, keep_falling, unknown_below, audio_format, part, loop, overrides = values[8:]
        chosen = TASKS[task]
        changes = chosen.has_recipe and task != "generate"
        return Job(
            task,
            first,
            second if chosen.second else None,
            (recipe or "") if chosen.has_recipe else "",
            tuple(overrides or ()) if chosen.has_recipe else (),
            None if run == OWN_RUN else run,
            to if task == "translate" else None,
            float(start or 0) if task == "dream" else 0.0,
            float(seconds) if seconds and task in ("dream", "generate") else None,
            bits if chosen.has_recipe else None,
            bool(keep_falling) and task in ("dream", "transfer"),
            (unknown_below or None) if task == "predict" else None,
            audio_format,
            part if changes else None,
            bool(loop) and changes,
        )

    def _show_command(self, *values: Any) -> str:
        return command(self._job(*values))

    def _run(self, every: int, seeds: int, *values: Any) -> Iterator[tuple[Any, ...]]:
        yield from self._submit(lambda: self._job(*values), every, seeds)

    def _repeat(self, every: int, seeds: int, names: list[str]) -> Iterator[tuple[Any, ...]]:
        yield from self._submit(lambda: self._chosen(names).job, every, seeds)

    def _submit(
        self, choose: Callable[[], Job], every: int, seeds: int
    ) -> Iterator[tuple[Any, ...]]:
        try:
            job = choose()
            first = job.seed
            jobs = [job]
            if seeds > 1 and first is not None:
                jobs = [job, *(job.with_seed(first + more) for more in range(1, int(seeds)))]
            self.studio.queue.submit(jobs, int(every or 0))
        except TfdreamError as error:
            yield self._problem(error), gr.skip(), gr.skip(), gr.skip()
            return
        yield from self._watch()

    def _watch(self) -> Iterator[tuple[Any, ...]]:
        """Yield status, preview and results until the queue is empty."""
        preview = finished = None
        for status in self.studio.queue.watch():
            sound = picture = results = gr.skip()
            if status.preview is not None and status.preview != preview:
                preview = status.preview
                label = f"preview: step {preview.step}, from {preview.start_seconds:.1f} s"
                sound = gr.update(value=str(preview.sound), label=label, visible=True)
                picture = gr.update(value=str(preview.picture), visible=True)
            if status.finished != finished:
                finished = status.finished
                chosen = {"value": list(finished)} if finished else {}
                results = gr.update(choices=self.titles(), **chosen)
            yield presentation.status_value(status), sound, picture, results

    def _chosen(self, names: list[str]) -> Entry:
        if not names:
            raise TfdreamError("no result is selected; choose one in the history")
        return self.studio.history.find(names[-1])

    def _show_results(self, names: list[str]) -> tuple[Any, ...]:
        entries = [each for each in self.studio.history.entries() if each.name in names]
        entries.sort(key=lambda entry: entry.name)
        table = {
            "headers": ["measure", *(entry.name for entry in entries)],
            "data": presentation.measures(entries),
        }
        last = next((entry for entry in entries if entry.name == names[-1]), None)
        return (
            presentation.players(entries),
            presentation.findings(entries),
            table if entries else None,
            last.settings_path.read_text(encoding="utf-8") if last else "",
            _download(last.output if last else None),
            _download(last.settings_path if last else None),
            _download(last.report_path if last else None),
        )

    def _report(self, names: list[str]) -> tuple[Any, Any]:
        try:
            entry = self._chosen(names)
            if entry.output is None and entry.job.task != "compare":
                raise TfdreamError(f"{entry.job.task} has no report page; choose another result")
            path = self.studio.queue.report(entry)
        except TfdreamError as error:
            return gr.skip(), self._problem(error)
        return _download(path), presentation.status_value(Status(), f"Written: {path.name}.")

    def _use(self, names: list[str]) -> tuple[Any, ...]:
        try:
            job = self._chosen(names).job
        except TfdreamError as error:
            gr.Warning(str(error))
            return tuple(gr.skip() for _ in self.restored)
        task, recipes = TASKS[job.task], self.studio.recipes_for(job.task)
        runs = self.studio.runs_for(job.task)
        return (
            job.task,
            gr.update(value=job.first, label=task.first),
            job.first,
            gr.update(value=job.second, label=task.second, visible=bool(task.second)),
            job.second,
            gr.update(choices=recipes, value=job.recipe or None, visible=bool(recipes)),
            gr.update(choices=runs, value=job.run or OWN_RUN),
            gr.update(value=job.to, visible=job.task == "translate"),
            job.start_seconds,
            job.seconds or 0,
            job.bits,
            job.keep_falling,
            job.unknown_below or 0,
            job.audio_format,
            job.part,
            job.loop,
            panel_of(job.task, job.recipe, job.overrides),
            job.overrides,
        )


def _download(path: Path | None) -> Any:
    if path is None or not path.is_file():
        return gr.update(value=None, interactive=False)
    return gr.update(value=str(path), interactive=True)
