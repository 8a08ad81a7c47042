"""The page: what its controls do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from tfdream.errors import TfdreamError
from tfdream.runs import open_run
from tfdream.studio import presentation
from tfdream.studio.controls import refusal
from tfdream.studio.equivalent import commands
from tfdream.studio.history import Entry
from tfdream.studio.job import TASKS_OF, Job
from tfdream.studio.jobs import Status
from tfdream.studio.layout import Studio, panel_of, run_choices
from tfdream.studio.literal import literal
from tfdream.studio.output_section import EVERYTHING, part_choices, with_chosen
from tfdream.studio.panel import Panel
from tfdream.studio.stems import Stems, named, names_of
from tfdream.studio.tasks import TASKS


def build(studio: Studio) -> gr.Blocks:
    """Build the page."""
    with gr.Blocks(
        title="tfdream studio", analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        _Page(studio, page)
    page.queue(default_concurrency_limit=8, max_size=64, api_open=False)
    return page


class _Page(Panel):
    """The components, and the functions that their events call."""

    def __init__(self, studio: Studio, page: gr.Blocks) -> None:
        super().__init__(studio, page)
        self._watchers: dict[str | None, object] = {}
        self._connect_uploads()
        self._connect_choices()
        self._connect_jobs()

    def _connect_uploads(self) -> None:
        for name, source in self.recordings.items():
            path = self.choices[name]
            kept = [source, path, self.refused, self.status]
            source.upload(self._keep, [source], kept, concurrency_limit=2)
            source.clear(lambda: None, None, path, queue=False)
        gr.on(
            [self.more.upload, self.more.delete, self.more.clear],
            self._keep_more,
            [self.more],
            [self.more, self.more_paths, self.refused],
        )
        stems, part = self.choices["stems"], self.choices["part"]
        files, names = self.section.stem_files, self.section.stem_names
        gr.on(
            [files.upload, files.delete, files.clear],
            self._keep_stems,
            [files, stems],
            [files, names, stems, part, self.refused],
        )
        gr.on([names.submit, names.blur], self._name_stems, [names, stems, part], [stems, part])

    def _connect_choices(self) -> None:
        choices = [self.seeds, self.more_paths, *self.choices.values()]
        command_of = [self._show_command, choices, [self.command]]
        task, recipe, run = (self.choices[name] for name in ("task", "recipe", "run"))
        shown = {"show_progress": "hidden"}
        # The command follows these events: its own ones would see values of the former task.
        by_task = [*self.recordings.values(), recipe, run, self.choices["to"]]
        by_task += [*self.section.controls.values(), self.section.stem_files]
        by_task += [self.section.stem_names, self.every, self.seeds, self.panel]
        by_task += [self.choices["overrides"]]
        task.input(self._choose_task, [task, self.choices["stems"]], by_task).then(
            *command_of, **shown
        )
        recipe.input(
            lambda task, recipe: (panel_of(task, recipe), ()),
            [task, recipe],
            [self.panel, self.choices["overrides"]],
        )
        # Not `change`, which updates by functions cause too: it would replace a restored genre.
        run.input(self._targets, [task, run], [self.choices["to"]])
        gr.on(
            [self.page.load, *(choice.change for choice in choices if choice is not task)],
            *command_of,
            trigger_mode="always_last",
            **shown,
        )
        restored = [task, *(self.choices[name] for name in self.recordings), *by_task]
        self.use.click(self._use, [self.results], restored).then(*command_of, **shown)

    def _connect_jobs(self) -> None:
        watched = [self.status, self.preview_sound, self.preview_picture, self.results]
        always: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None}
        self.page.load(self._watch, None, watched, **always)
        inputs = [self.every, self.seeds, self.more_paths, *self.choices.values()]
        # Further jobs join the queue while an earlier event of the same button is pending.
        always["trigger_mode"] = "multiple"
        self.run.click(self._run, inputs, watched, **always)
        again = [self.every, self.seeds, self.results]
        self.again.click(self._repeat, again, watched, **always)
        self.stop.click(lambda: self.studio.queue.stop(keep=True), None, None, queue=False)
        self.cancel.click(lambda: self.studio.queue.stop(keep=False), None, None, queue=False)
        downloads = [self.get_audio, self.get_settings, *self.downloads.values()]
        self.results.change(
            self._show_results,
            [self.results],
            [self.players, self.findings, self.measures, self.settings, *downloads],
            show_progress="hidden",
        )
        self.make_report.click(
            self._report, [self.results], [self.downloads["report"], self.status]
        )

    def _keep(self, upload: str | None) -> tuple[Any, ...]:
        if upload is None:  # it was removed meanwhile
            return gr.skip(), None, gr.skip(), gr.skip()
        status = presentation.status_value(self.studio.queue.status)
        try:
            path = self._copy(upload)
        except TfdreamError as error:
            return None, None, refusal(error), status
        return gr.skip(), path, gr.update(visible=False), status

    def _keep_more(self, files: Sequence[str] | None) -> tuple[Any, ...]:
        try:
            return gr.skip(), self._kept(files), gr.update(visible=False)
        except TfdreamError as error:
            return None, (), refusal(error)

    def _keep_stems(self, files: Sequence[str] | None, before: Stems) -> tuple[Any, ...]:
        try:
            paths = self._kept(files)
        except TfdreamError as error:
            return (
                None,
                gr.skip(),
                (),
                gr.update(choices=part_choices(), value=EVERYTHING),
                refusal(error),
            )
        earlier = {path: name for name, path in before}
        stems = named(paths, ", ".join(earlier.get(path, "") for path in paths))
        part = gr.update(choices=part_choices(stems), value=stems[0][0] if stems else EVERYTHING)
        names = gr.update(value=names_of(stems), visible=bool(stems))
        return gr.skip(), names, stems, part, gr.update(visible=False)

    def _name_stems(self, names: str, stems: Stems, part: str) -> tuple[Any, Any]:
        renamed = named([path for _, path in stems], names)
        new = dict(zip(dict(stems), dict(renamed), strict=True))
        return renamed, gr.update(choices=part_choices(renamed), value=new.get(part, part))

    def _problem(self, error: TfdreamError) -> dict[str, Any]:
        return presentation.status_value(self.studio.queue.status, f"Error: {error}")

    def _choose_task(self, name: str, stems: Stems) -> dict[Any, Any]:
        return {
            **self._shown(Job(name)),
            **self.section.updates(name),
            **self.section.stem_updates(name, stems),
        }

    def _shown(self, job: Job) -> dict[Any, Any]:
        """Return updates by component that show the choices of a job, except its output.

        Without a recipe or a run, the first one of the task is chosen.
        """
        task, recordings = TASKS[job.task], self.recordings
        recipes = with_chosen(self.studio.recipes_for(task.name), job.recipe)
        runs = run_choices(task.name, with_chosen(self.studio.runs_for(task.name), job.run))
        recipe = job.recipe or next(iter(recipes), None)
        run = job.run or next((value for _, value in runs), None)
        chosen = {"choices": recipes, "value": recipe} if recipes else {}
        has_recipe = gr.update(visible=task.has_recipe)
        return {
            recordings["first"]: gr.update(label=task.first),
            recordings["second"]: gr.update(label=task.second, visible=bool(task.second)),
            recordings["style"]: gr.update(visible=task.name in TASKS_OF["style"]),
            # A hidden choice does not change: it must be one of its choices, too.
            self.choices["recipe"]: gr.update(visible=task.has_recipe, **chosen),
            self.choices["run"]: gr.update(choices=runs, value=run),
            self.choices["to"]: self._targets(task.name, run, job.to),
            self.every: has_recipe,
            self.seeds: has_recipe,
            self.panel: panel_of(task.name, recipe, job.overrides),
            self.choices["overrides"]: job.overrides,
        }

    def _targets(self, task: str, run: str | None, chosen: str | None = None) -> Any:
        """Return the update of the target genre: its choices are the labels of a translation."""
        if task != "translate" or not run:
            return gr.update(visible=False)
        try:
            labels = open_run(run).labels
        except TfdreamError:
            return gr.update(visible=False)
        value = chosen if chosen in labels else labels[-1]
        return gr.update(choices=labels, value=value, visible=True)

    def _job(self, *values: Any) -> Job:
        choices = dict(zip(self.choices, values, strict=True))
        return Job.of(choices.pop("task"), choices)

    def _jobs(self, seeds: int, more: Sequence[str], *values: Any) -> list[Job]:
        """Return the jobs of all recordings and seeds."""
        job = self._job(*values)
        firsts: list[str | None] = [path for path in (job.first, *more) if path]
        jobs = [replace(job, first=first) for first in dict.fromkeys(firsts or [None])]
        return [each for job in jobs for each in _with_seeds(job, int(seeds))]

    def _show_command(self, *values: Any) -> str:
        try:
            return commands(self._jobs(*values))
        except TfdreamError as error:
            return f"Error: {error}"

    def _run(self, request: gr.Request, every: int, *values: Any) -> Iterator[tuple[Any, ...]]:
        yield from self._submit(request, lambda: self._jobs(*values), every)

    def _repeat(
        self, request: gr.Request, every: int, seeds: int, names: list[str]
    ) -> Iterator[tuple[Any, ...]]:
        def choose() -> list[Job]:
            return _with_seeds(self._chosen(names).same_job, int(seeds))

        yield from self._submit(request, choose, every)

    def _submit(
        self, request: gr.Request, choose: Callable[[], list[Job]], every: int
    ) -> Iterator[tuple[Any, ...]]:
        try:
            self.studio.queue.submit(choose(), int(every or 0))
        except TfdreamError as error:
            yield self._problem(error), gr.skip(), gr.skip(), gr.skip()
            return
        yield from self._watch(request)

    def _watch(self, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Yield status, preview and results until the queue is empty.

        A later call for the same page ends this one: a browser that shows the same updates several
        times becomes slow.
        """
        session, watcher = request.session_hash, object()
        self._watchers[session] = watcher
        try:
            for update in self._updates():
                if self._watchers.get(session) is not watcher:
                    return
                yield update
        finally:
            if self._watchers.get(session) is watcher:
                del self._watchers[session]

    def _updates(self) -> Iterator[tuple[Any, ...]]:
        """Yield status, preview and results of each state of the queue."""
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
            *(_presentation(last, name) for name in self.downloads),
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

    def _use(self, names: list[str]) -> dict[Any, Any]:
        try:
            job, missing = self._chosen(names).same_job.available()
        except TfdreamError as error:
            gr.Warning(literal(str(error)))
            return {self.choices["task"]: gr.skip()}
        if missing:
            text = (
                f"{' and '.join(missing)} of this result cannot be read, so the default is chosen; "
                "to use another one, start again with tfdream studio --model RUN --config FILE"
            )
            gr.Warning(literal(text))
        updates = {
            self.choices["task"]: job.task,
            **self._shown(job),
            **self.section.restored(job),
            **self.section.stem_updates(job.task, job.stems),
        }
        for name, recording in self.recordings.items():
            path = getattr(job, name)
            updates[recording] |= {"value": path}
            updates[self.choices[name]] = path
        return updates


def _with_seeds(job: Job, count: int) -> list[Job]:
    """Return a job with consecutive seeds; once if its recipe has none."""
    first = job.seed if count > 1 else None
    return [job, *(job.with_seed(first + more) for more in range(1, count) if first is not None)]


def _presentation(entry: Entry | None, name: str) -> Any:
    path = entry.presentation(name) if entry else None
    exists = path is not None and path.is_file()
    return {**_download(path), "visible": exists or name == "report"}


def _download(path: Path | None) -> Any:
    if path is None or not path.is_file():
        return gr.update(value=None, interactive=False)
    return gr.update(value=str(path), interactive=True)
