"""The page and its server, without a browser; skipped where Gradio is not installed."""

import html
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")

import gradio as gr

from tfdream.errors import ConfigError
from tfdream.studio import server
from tfdream.studio.history import History
from tfdream.studio.job import Job
from tfdream.studio.jobs import Status
from tfdream.studio.settings_panel import describe
from tfdream.studio.tasks import TASKS, load
from tfdream.studio.uploads import Limits


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    server.disable_telemetry()
    from tfdream.studio.layout import Studio
    from tfdream.studio.page import build

    folder = tmp_path_factory.mktemp("studio")
    queue = SimpleNamespace(status=Status(), watch=lambda: iter([Status()]))
    page = build(Studio(queue, History(folder), folder / "inputs", Limits(megabytes=0.5)))
    yield server._launch(page, folder, server.check_port(0), Limits(megabytes=0.5))
    page.close(verbose=False)


def request(address, path="", method="GET", **headers):
    content = None if method in ("GET", "HEAD") else b"{}"
    return urllib.request.urlopen(
        urllib.request.Request(address + path, content, headers, method=method)
    )


def test_the_policy_forbids_other_hosts(address):
    assert address.startswith("http://127.0.0.1:")
    policy = request(address).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_other_host_names_are_rejected(address):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        request(address, Host="example.org")


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_requests_of_other_pages_are_rejected(address, method, headers):
    with pytest.raises(urllib.error.HTTPError, match="403") as refusal:
        request(address, "gradio_api/upload", method, **headers)
    assert refusal.value.headers["Content-Security-Policy"]
    assert request(address, **headers).status == 200  # a link to the page


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_requests_of_the_page_are_accepted(address, host):
    address = address.replace("127.0.0.1", host)
    headers = {"Origin": address.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    with pytest.raises(urllib.error.HTTPError, match="422"):  # Gradio reads the empty request
        request(address, "gradio_api/run/predict", "POST", **headers)


def test_files_outside_of_the_folder_are_not_served(address):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        request(address, "gradio_api/file=/etc/passwd")


def test_large_uploads_are_rejected(address):
    boundary = "boundary"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode() + bytes(600_000)
    body += f"\r\n--{boundary}--\r\n".encode()
    upload = urllib.request.Request(
        address + "gradio_api/upload",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with pytest.raises(urllib.error.HTTPError, match="413"):
        urllib.request.urlopen(upload)


def test_analytics_are_off(address):
    from gradio.analytics import analytics_enabled

    assert not analytics_enabled()


def test_a_used_port_is_refused(address):
    port = int(address.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"--port {port} cannot be used"):
        server.check_port(port)


@pytest.fixture
def page(translation, tmp_path):
    """The page as a component, with a finished translation to the first genre in its history."""
    from tfdream.studio.layout import Studio
    from tfdream.studio.page import _Page

    run, history = str(translation[0]), History(tmp_path / "studio")
    job = Job("translate", "a.wav", recipe="translate/recommended", run=run, to="noise")
    history.add(history.reserve(job), job, {})
    queue = SimpleNamespace(status=Status(), watch=lambda: iter([Status()]))
    with gr.Blocks(analytics_enabled=False) as blocks:
        studio = Studio(queue, history, tmp_path / "inputs", Limits(), (run,))
        return _Page(studio, blocks)


def events_of(page, component, name):
    """Return the functions that an event of a component calls."""
    return [each for each in page.page.fns.values() if (component._id, name) in each.targets]


def test_the_target_genre_of_a_job_is_restored(page):
    updates = page._use(["0001-a-translate"])
    to = page.choices["to"]
    assert (updates[to]["value"], updates[to]["choices"]) == ("noise", ["noise", "tones"])
    assert updates[to]["visible"]
    # A later event of the restored network would replace it.
    assert not any(to in each.outputs for each in events_of(page, page.choices["run"], "change"))


def test_a_task_shows_its_target_genres(page):
    update = page._choose_task("translate", ())[page.choices["to"]]
    assert (update["value"], update["choices"]) == ("tones", ["noise", "tones"])
    assert not page._choose_task("dream", ())[page.choices["to"]]["visible"]


def test_further_jobs_join_the_queue_while_others_run(page):
    for button in (page.run, page.again):
        (event,) = events_of(page, button, "click")
        assert event.trigger_mode == "multiple"


def test_a_page_has_one_watcher(page):
    """A browser that shows the same updates several times becomes slow."""
    queue = page.studio.queue
    queue.submit, queue.watch = lambda jobs, every: None, lambda: iter([Status()] * 3)
    one, other = SimpleNamespace(session_hash="a"), SimpleNamespace(session_hash="b")
    first, another = page._watch(one), page._watch(other)
    next(first), next(another)
    second = page._repeat(one, 0, 1, ["0001-a-translate"])
    next(second)
    assert list(first) == []
    assert len(list(second)) == len(list(another)) == 2
    assert page._watchers == {}


def test_the_command_has_a_line_for_each_job(page):
    values = {**dict.fromkeys(page.choices), "task": "dream", "recipe": "dream/subtle"}
    values |= {"overrides": (), "stems": (), "first": "a.wav", "run": "genres", "name": ""}
    shown = page._show_command(2, ["b.wav"], *values.values()).splitlines()
    outputs = [line.split()[3] for line in shown]
    assert outputs == ["a-dream.flac", "a-dream-1.flac", "b-dream.flac", "b-dream-1.flac"]
    assert [line.endswith("--set seed=1") for line in shown] == [False, True] * 2


def test_choices_of_a_job_that_are_not_offered_are_added(page, trained, tmp_path):
    run, recipe = str(trained[0]), tmp_path / "mine.yaml"
    recipe.write_text("{mix: 0.5}")
    job = Job("dream", "a.wav", None, str(recipe), run=run, judge=run)
    history = page.studio.history
    history.add(history.reserve(job), job, {})
    updates = page._use(["0002-a-dream"])
    for name in ("recipe", "run", "judge"):
        update = updates[page.choices[name]]
        assert update["value"] == getattr(job, name)
        assert update["value"] in [each[-1] if isinstance(each, tuple) else each
                                   for each in update["choices"]]  # fmt: skip


def test_choices_of_a_job_that_do_not_exist_are_reported_once(page, monkeypatch):
    job = Job("dream", "a.wav", None, "dream/subtle", ("seed=3",), "gone", judge="lost")
    history = page.studio.history
    entry = history.add(history.reserve(job), job, {})
    entry.settings_path.write_text("")
    warnings = []
    monkeypatch.setattr(gr, "Warning", lambda text: warnings.append(html.unescape(text)))
    updates = page._use([entry.name])
    assert updates[page.choices["run"]]["value"] == "genres"
    assert updates[page.choices["judge"]]["value"] == ""
    (warning,) = warnings
    assert warning.startswith("network 'gone' and judge 'lost' of this result cannot be read")
    assert "--model RUN" in warning


def test_hidden_choices_do_not_change(page):
    history = page.studio.history
    job = Job("predict", "a.wav", run="genres")
    history.add(history.reserve(job), job, {})
    for updates in (page._use(["0002-a-predict"]), page._choose_task("predict", ())):
        update = updates[page.choices["recipe"]]
        assert update["visible"] is False
        assert update.keys().isdisjoint({"choices", "value"})


def test_a_network_is_optional_for_a_comparison(page):
    update = page._choose_task("compare", ())[page.choices["run"]]
    assert (update["choices"][0], update["value"]) == (("none", ""), "")
    update = page._choose_task("transfer", ())[page.choices["run"]]
    assert (update["choices"][0], update["value"]) == (("the recipe's own", ""), "")


@pytest.mark.parametrize("names", [["0001-a-translate"], []])
def test_updates_are_those_of_the_outputs(page, names):
    """Gradio accepts updates by component of the declared outputs only."""
    (use,) = events_of(page, page.use, "click")
    (choose,) = events_of(page, page.choices["task"], "input")
    assert page._use(names).keys() <= set(use.outputs)
    assert page._choose_task("generate", ()).keys() <= set(choose.outputs)


def test_uploads_are_checked_once(page, source, monkeypatch):
    uploads = [str(source / "tones" / f"{number}.wav") for number in range(2)]
    first = page._kept(uploads)
    monkeypatch.setattr(Limits, "check", None)
    assert page._kept(uploads) == first


def test_refusals_show_names_of_files_as_they_are():
    from tfdream.studio.controls import refusal, text

    update = refusal(ConfigError("'a ~~b~~ $$c$$.wav' is *short*"))
    assert html.unescape(update["value"]) == "Error: 'a ~~b~~ $$c$$.wav' is *short*"
    assert not set(update["value"]) & set("~$*'.")
    assert text(elem_id="a").latex_delimiters == []


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.has_recipe])
def test_every_setting_becomes_a_component(task):
    from tfdream.studio.controls import element_id, place

    settings = describe(load(task.name, task.recipe))
    with gr.Blocks(analytics_enabled=False):
        components = place(settings, task.strength)
    assert [each.elem_id for each in components] == [element_id(each.key) for each in settings]
    assert all(each.interactive for each in components)
    assert any("strength" in each.label for each in components)
