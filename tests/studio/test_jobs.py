"""The queue: order, progress, previews, two ways to stop, and nothing half-written."""

import dataclasses
import errno
import random
import threading
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
import serving
import soundfile
from calling import EAGERLY, names

from tfdream.errors import ConfigError, ModelError
from tfdream.studio import work
from tfdream.studio.events import Failed, Finished, Preview, Step, Written
from tfdream.studio.history import History
from tfdream.studio.job import Job
from tfdream.studio.jobs import JobQueue
from tfdream.studio.worker import ProcessWorker, Request, _serve_all, serve

pytestmark = EAGERLY


class ThreadWorker:
    """Serves requests in a thread; `after` steps it calls `on_step`."""

    def __init__(self):
        self.stopped = threading.Event()
        self.on_step = lambda step: None

    def reset(self):
        self.stopped.clear()

    def run(self, request):
        events = Queue()
        thread = threading.Thread(target=serve, args=(request, events.put, self.is_stopped))
        thread.start()
        while True:
            event = events.get(timeout=300)
            yield event
            if isinstance(event, Finished | Failed):
                break
        thread.join()

    def is_stopped(self):
        self.on_step(None)
        return self.stopped.is_set()

    def stop(self, keep):
        self.stopped.set()

    def close(self):
        self.stopped.set()


@pytest.fixture
def worker():
    return ThreadWorker()


@pytest.fixture
def queue(tmp_path, worker):
    started = JobQueue(History(tmp_path / "studio"), worker)
    yield started
    started.close()


@pytest.fixture
def job(song, trained):
    overrides = ("optimizer.steps=3", "tiles.overlap_seconds=0.05")
    run = str(trained[0])
    return Job("dream", str(song), None, "dream/recommended", overrides, run, seconds=1.0)


@pytest.fixture
def two_tiles(job):
    """A job of the complete recording."""
    return dataclasses.replace(job, seconds=None)


def finish(queue):
    return list(queue.watch(seconds=0.01))


def test_jobs_run_in_order_and_join_the_history(queue, job):
    queue.submit([job, job.with_seed(5)])
    assert queue.status.waiting
    last = finish(queue)[-1]
    assert last.finished == ("0001-0-dream", "0002-0-dream")
    newest, oldest = queue.history.entries()
    assert (newest.job.seed, oldest.job.seed) == (5, 0)
    assert names(newest.folder) == [
        "0-dream.flac",
        "0-dream.flac.json",
        "job.json",
        "settings.yaml",
    ]


def test_progress_and_previews_are_reported(queue, two_tiles):
    queue.submit([two_tiles], preview_every=4)
    states = finish(queue)
    previews = {state.preview.step: state.preview for state in states if state.preview}
    assert set(previews) <= {4, 8, 12}
    assert any(state.step and state.step.done for state in states)


def test_jobs_have_previews_of_their_own(queue, job, monkeypatch):
    previews, removals = [], []
    handle = queue._handle

    def record(event, folder, job):
        if isinstance(event, Preview):
            previews.append(event)
            assert event.picture.is_file()
        handle(event, folder, job)

    class Timer:
        def __init__(self, seconds, function, arguments, options):
            removals.append(lambda: function(*arguments, **options))

        def start(self):
            pass

    monkeypatch.setattr("tfdream.studio.jobs.threading.Timer", Timer)
    monkeypatch.setattr(queue, "_handle", record)
    queue.submit([job, job], preview_every=3)
    finish(queue)
    steps = [preview.step for preview in previews]
    assert steps[: len(steps) // 2] == steps[len(steps) // 2 :] != []
    assert len(set(previews)) == len(previews)
    with queue._running:  # the second job has ended
        assert previews[-1].picture.is_file()
        first, last = removals
    first()
    assert not previews[0].sound.parent.exists()
    assert previews[-1].picture.is_file()
    last()
    assert not list(previews[-1].sound.parent.parent.iterdir())


def test_previews_contain_the_tile(two_tiles, tmp_path):
    events = []
    output = tmp_path / two_tiles.output_name
    serve(Request(two_tiles, output, tmp_path, 5), events.append, lambda: False)
    assert isinstance(events[-1], Finished)
    previews = [event for event in events if isinstance(event, Preview)]
    steps = [event for event in events if isinstance(event, Step)]
    assert [preview.step for preview in previews] == list(range(5, len(steps) + 1, 5))
    sound, rate = soundfile.read(previews[-1].sound)
    assert (rate, len(sound)) == (8000, 8000)
    assert np.abs(sound).max() > 0.01
    assert previews[-1].picture.read_bytes().startswith(b"\x89PNG")


def test_stop_keeps_what_is_finished(queue, worker, job):
    worker.on_step = lambda step: queue.stop(keep=True)
    queue.submit([job, job])
    finish(queue)
    (entry,) = queue.history.entries()  # the waiting job is removed
    assert entry.result["interrupted"]
    assert entry.title.endswith("(stopped)")
    assert entry.output.is_file()


def test_cancel_leaves_nothing(queue, worker, job):
    worker.on_step = lambda step: queue.stop(keep=False)
    queue.submit([job, job])
    last = finish(queue)[-1]
    assert last.message == ""
    assert queue.history.entries() == []
    assert names(queue.history.folder) == []


def test_a_failed_job_leaves_its_message_alone(queue, job, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    queue.submit([Job("dream", str(broken), None, job.recipe, job.overrides, job.run)])
    last = finish(queue)[-1]
    assert "broken.wav" in last.message
    assert "\n" not in last.message
    assert names(queue.history.folder) == []


def test_missing_choices_are_refused_before_the_queue(queue, job):
    with pytest.raises(ConfigError, match="transfer needs a style"):
        queue.submit([Job("transfer", job.first, recipe="transfer/timbre")])
    with pytest.raises(ConfigError, match="dream needs a recording"):
        queue.submit([Job("dream", recipe="dream/recommended", run="genres")])
    with pytest.raises(ModelError, match="generate needs a network"):
        queue.submit([Job("generate", recipe="generate/recommended")])
    with pytest.raises(ConfigError, match="mix=2"):
        queue.submit([Job("dream", job.first, None, "dream/recommended", ("mix=2",), "genres")])
    assert queue.status.is_idle


def test_a_report_is_written_on_request(queue, job):
    queue.submit([job])
    finish(queue)
    (entry,) = queue.history.entries()
    page = queue.report(entry)
    assert page == entry.report_path
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("change", ["edited", "deleted", "renamed"])
def test_reports_measure_the_output_whatever_happened_to_its_recipe(queue, job, tmp_path, change):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("{optimizer: {steps: 1}, tiles: {overlap_seconds: 0.05}, seed: 3}")
    queue.submit([dataclasses.replace(job, recipe=str(recipe), overrides=(), name="a-{seed}")])
    finish(queue)
    (entry,) = queue.history.entries()
    if change == "edited":
        recipe.write_text("{seed: 4}")
    elif change == "deleted":
        recipe.unlink()
    else:
        entry.folder.rename(entry.folder.with_name("0001-best"))
    (entry,) = queue.history.entries()
    page = queue.report(entry)
    assert page.name == "a-3.html"
    assert "log_spectral_distance_db" in page.read_text()
    assert "a-3.flac" in page.read_text()


class Scripted:
    """Yields given events of each request, or raises an error; it records the calls."""

    def __init__(self, *script):
        self.script = list(script)
        self.calls = []

    def reset(self):
        self.calls.append("reset")

    def run(self, request):
        self.calls.append("run")
        events = self.script.pop(0)
        if isinstance(events, Exception):
            raise events
        yield from events

    def stop(self, keep):
        self.calls.append("stop")

    def close(self):
        self.calls.append("close")


def test_an_error_of_one_job_does_not_stop_the_queue(tmp_path, job):
    script = PermissionError(13, "", "job.json"), ConfigError("wrong"), [Finished({})]
    queue = JobQueue(History(tmp_path / "studio"), Scripted(*script))
    for message in ("'job.json': Permission denied", "wrong", ""):
        queue.submit([job])
        assert finish(queue)[-1].message == message
    assert names(queue.history.folder) == ["0001-0-dream"]
    assert len(queue.history.entries()) == 1
    queue.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unexpected_error_does_not_stop_the_queue(tmp_path, job):
    queue = JobQueue(History(tmp_path / "studio"), Scripted(ZeroDivisionError("no"), [Failed("")]))
    for message in ("ZeroDivisionError: no", ""):
        queue.submit([job])
        assert finish(queue)[-1].message == message
        assert names(queue.history.folder) == []
    queue.close()


def test_a_stop_right_after_the_start_is_for_the_started_job(tmp_path, job):
    worker = Scripted([Failed("")])
    queue = JobQueue(History(tmp_path / "studio"), worker)
    reserve = queue.history.reserve

    def stop_first(job):
        queue.stop(keep=True)  # the job is announced, and its worker has not begun
        return reserve(job)

    queue.history.reserve = stop_first
    queue.submit([job])
    finish(queue)
    queue.close()
    assert worker.calls == ["reset", "stop", "run", "close"]


def test_finished_jobs_remain_shown_while_others_wait(tmp_path, job):
    queue = JobQueue(History(tmp_path / "studio"), Scripted([Failed("")]))
    with queue._changed:  # the queue does not start the job meanwhile
        queue._status = dataclasses.replace(queue._status, finished=("0001-a",), waiting=1)
        queue._waiting.clear()
    queue.submit([job])
    assert queue.status.finished == ("0001-a",)
    queue.close()


def test_a_closed_worker_starts_no_process(job, tmp_path):
    worker = ProcessWorker()
    worker.close()
    assert list(worker.run(Request(job, tmp_path / "a.flac", tmp_path))) == [Failed("")]
    assert worker.pid is None


def test_the_process_of_jobs_suppresses_messages_of_libraries(monkeypatch):
    class Closed:
        send = None

        def recv(self):
            raise EOFError

    calls = []
    monkeypatch.setattr("tfdream.studio.worker.silence_libraries", lambda: calls.append("silence"))
    _serve_all(Closed(), threading.Event())
    assert calls == ["silence"]


@pytest.mark.parametrize(
    "serve_all", [serving.fail, pytest.param(_serve_all, marks=pytest.mark.slow)]
)
def test_the_traceback_of_an_unexpected_error_is_printed(tmp_path, capfd, monkeypatch, serve_all):
    monkeypatch.setattr("tfdream.studio.worker._serve_all", serve_all)
    worker = ProcessWorker()
    unknown = Request(Job("unknown"), tmp_path / "a.flac", tmp_path)
    assert list(worker.run(unknown)) == [Failed("KeyError: 'unknown'", ends_process=True)]
    worker.close()
    errors = capfd.readouterr().err
    assert "Traceback" in errors
    assert "KeyError: 'unknown'" in errors


def test_unexpected_errors_are_named(job, tmp_path, monkeypatch):
    def fail(*arguments):
        raise ZeroDivisionError("no samples")

    events = []
    monkeypatch.setattr(work, "carry_out", fail)
    with pytest.raises(ZeroDivisionError):
        serve(Request(job, tmp_path / "a.flac", tmp_path), events.append, lambda: False)
    assert events == [Failed("ZeroDivisionError: no samples", ends_process=True)]


@pytest.mark.parametrize("error", [ConfigError("no axis"), OSError("no axis")])
def test_audio_remains_if_a_presentation_fails(queue, job, monkeypatch, error):
    def fail(figure, output):
        raise error

    monkeypatch.setattr("tfdream.figures.parts.sheet.write", fail)
    queue.submit([dataclasses.replace(job, presentations=("figure",))])
    finish(queue)
    (entry,) = queue.history.entries()
    assert entry.output.is_file()
    note = "video, figure or report page could not be made: no axis"
    assert entry.result["notes"][-1] == note


def test_audio_remains_if_the_process_of_a_presentation_ends(tmp_path, job):
    worker = Scripted([Written({"peak": 0.5}), Failed("it ended", ends_process=True)])
    queue = JobQueue(History(tmp_path / "studio"), worker)
    queue.submit([job])
    assert finish(queue)[-1].message == ""
    (entry,) = queue.history.entries()
    assert (entry.result["peak"], entry.result["notes"][-1][-8:]) == (0.5, "it ended")
    queue.close()


def test_audio_remains_if_the_history_cannot_be_written(queue, job, monkeypatch):
    def fail(path, content):
        raise OSError(errno.ENOSPC, "", str(path))

    monkeypatch.setattr("tfdream.studio.history.write_json", fail)
    queue.submit([job])
    message = finish(queue)[-1].message
    assert "No space left" in message
    (output,) = queue.history.folder.rglob(job.output_name)
    assert f"'{output}' is complete" in message
    History(queue.history.folder)  # a later start of the page
    assert output.is_file()
    assert not queue.history.entries()


def test_long_names_are_refused_before_the_queue(queue, job):
    with pytest.raises(ConfigError, match="has 305 bytes, more than 200"):
        queue.submit([dataclasses.replace(job, name="n" * 300)])


def test_settings_are_read_once(queue, job, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("{mix: 0.5, optimizer: {steps: 1}, tiles: {overlap_seconds: 0.05}}")
    read = dataclasses.replace(job, recipe=str(recipe), overrides=())
    queue.worker = Scripted([Finished({})])
    reserve = queue.history.reserve

    def edit_first(job):
        recipe.write_text("{mix: 5}")
        return reserve(job)

    queue.history.reserve = edit_first
    queue.submit([read])
    finish(queue)
    (entry,) = queue.history.entries()
    assert "mix: 0.5" in entry.settings_path.read_text()


def resident_pages(pid):
    """Return the memory of a process in pages."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])


@pytest.mark.slow
def test_fifty_jobs_in_a_process_with_cancellations(tmp_path, job):
    """Memory is bounded because the process is replaced; every folder is complete."""
    rng = random.Random(0)
    worker = ProcessWorker()
    queue = JobQueue(History(tmp_path / "studio"), worker)
    sizes = []
    for _ in range(50):
        queue.submit([job])
        action = rng.choice(["run", "stop", "cancel"])
        for status in queue.watch(seconds=0.05):
            if status.step and status.step.done >= 1 and action != "run":
                queue.stop(keep=action == "stop")
        if worker.pid:
            sizes.append(resident_pages(worker.pid))
    queue.close()
    assert max(sizes[10:]) < 1.2 * max(sizes[:10])
    for folder in (tmp_path / "studio").iterdir():
        assert names(folder) == [
            *("0-dream.flac", "0-dream.flac.json"),
            *("job.json", "settings.yaml"),
        ]
