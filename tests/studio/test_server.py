"""The page and its server, without a browser; skipped where Gradio is not installed."""

import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")

from tfdream.errors import ConfigError
from tfdream.studio import server
from tfdream.studio.history import History
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


def request(address, path="", **headers):
    return urllib.request.urlopen(urllib.request.Request(address + path, headers=headers))


def test_the_policy_forbids_other_hosts(address):
    assert address.startswith("http://127.0.0.1:")
    policy = request(address).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_other_host_names_are_rejected(address):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        request(address, Host="example.org")


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


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.has_recipe])
def test_every_setting_becomes_a_component(task):
    import gradio as gr

    from tfdream.studio.controls import element_id, place

    settings = describe(load(task.name, task.recipe))
    with gr.Blocks(analytics_enabled=False):
        components = place(settings, task.strength)
    assert [each.elem_id for each in components] == [element_id(each.key) for each in settings]
    assert all(each.interactive for each in components)
    assert any("strength" in each.label for each in components)
