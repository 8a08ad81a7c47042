"""A server of the local web page, and a browser."""

import shutil
import subprocess
import sys

import pytest
from browsing import start_chromium, wait


@pytest.fixture(scope="module")
def songs(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for name, number in (("first.wav", 0), ("second.wav", 1)):
        shutil.copyfile(source / "tones" / f"{number}.wav", folder / name)
    (folder / "broken.wav").write_text("This is no audio.")
    (folder / "large.wav").write_bytes((folder / "first.wav").read_bytes() + b"\0" * 2_000_000)
    return folder


@pytest.fixture(scope="module")
def server(trained, translation, generation, tmp_path_factory):
    """A server as a user starts it, with tiny networks; yields its address and folder."""
    pytest.importorskip("gradio")
    folder = tmp_path_factory.mktemp("server")
    models = [["--model", str(each[0])] for each in (trained, translation, generation)]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tfdream", "studio", "studio", "--port", "0"),
            *("--max-megabytes", "1"),
            *[argument for model in models for argument in model],
        ],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = next(line for line in process.stderr if "http://" in line)
    yield line.split()[4], folder / "studio"
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    downloads = tmp_path_factory.mktemp("downloads")
    started = start_chromium(downloads)
    started.downloads = downloads
    yield started
    started.quit()


@pytest.fixture
def page(browser, server):
    browser.set_window_size(1280, 2200)
    browser.get(server[0])
    wait(browser, "return document.querySelector('#setting-optimizer-steps input')", 60)
    return browser
