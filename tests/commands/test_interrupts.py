"""Ctrl-C, and signals of other processes."""

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from calling import EAGERLY, answer, dream, handler, invoke, names, no_number

from tfdream.commands.stops import interruptible

MAIN_THREAD = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="only the main thread receives signals",
)


@pytest.fixture
def ctrl_c(monkeypatch):
    """Send SIGINT when the third step of a command is reported."""

    @contextmanager
    def bar(description, unit):
        steps = 0

        def report(done, total, value=0.0, note=""):
            nonlocal steps
            steps += 1
            if steps == 3:
                signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr("tfdream.commands.jobs.progress_bar", bar)


def interrupted(*arguments):
    """Run a command that is stopped and return its JSON object."""
    call = invoke(*arguments, "--json")
    assert call.exit_code == 130, call.output
    result = json.loads(call.stdout, parse_constant=no_number)
    assert result["interrupted"] is True
    return result


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_writes_the_finished_part_of_a_dream(trained, song, tmp_path, ctrl_c):
    before = signal.getsignal(signal.SIGINT)
    no_normalization = ("--bits", 32, "--set", "normalize=limit")  # or all samples would change
    result = interrupted(*dream(trained, song, tmp_path / "out.wav", *no_normalization, steps=5))
    assert signal.getsignal(signal.SIGINT) is before
    assert (result["steps"], result["changed_seconds"]) == (3, 1.0)
    original, _ = soundfile.read(song, dtype="float32")
    changed, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.array_equal(changed[8000:], original[8000:])
    assert not np.array_equal(changed[:8000], original[:8000])


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_writes_the_finished_part_of_a_translation(translation, source, tmp_path, ctrl_c):
    song = source / "tones/0.wav"
    result = interrupted(
        *("translate", song, tmp_path / "out.wav", "--model", translation[0], "--bits", 32),
        *("--set", "tiles.overlap_seconds=0.05", "--set", "normalize=limit"),
    )
    assert result["changed_seconds"] == pytest.approx(0.95 + 0.95 + 1)
    original, _ = soundfile.read(song, dtype="float32")
    changed, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    rest = round(8000 * result["changed_seconds"])
    assert np.array_equal(changed[rest:], original[rest:])
    assert not np.array_equal(changed[:8000], original[:8000])


@MAIN_THREAD
@pytest.mark.slow
def test_ctrl_c_stops_a_folder_and_the_next_call_continues(
    trained, album, tmp_path, ctrl_c, monkeypatch
):
    (album / "bad.wav").unlink()
    output = tmp_path / "out"
    result = interrupted(*dream(trained, album, output, steps=2))
    # One file is complete; the other was stopped at its first step.
    assert ["interrupted" in each for each in result["files"]] == [False, True]
    monkeypatch.undo()
    again = answer(*dream(trained, album, output, steps=2))
    assert again["skipped_existing"] == [str(output / "b.wav")]
    assert [each["output"] for each in again["files"]] == [str(output / "a.flac")]
    assert again["skipped"] == []


@MAIN_THREAD
@pytest.mark.slow
def test_ctrl_c_stops_a_dream_of_several_layers(trained, album, tmp_path, ctrl_c):
    layers = [word for layer in ("conv1", "conv2", "embedding") for word in ("--layer", layer)]
    source, output = album / "b.wav", tmp_path / "{layer}.wav"
    result = interrupted(*dream(trained, source, output, *layers, steps=2))
    assert [each["objective"] for each in result["files"]] == [
        "layer_norm(conv1)",
        "layer_norm(conv2)",
    ]
    assert names(tmp_path) == [
        "album",
        *(f"conv{n}.wav{end}" for n in (1, 2) for end in ("", ".json")),
    ]


@EAGERLY
@MAIN_THREAD
def test_second_ctrl_c_cancels(trained, song, tmp_path, monkeypatch):
    @contextmanager
    def bar(description, unit):
        def report(done, total, value=0.0, note=""):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr("tfdream.commands.jobs.progress_bar", bar)
    result = invoke(*dream(trained, song, tmp_path / "out.wav"))
    assert result.exit_code == 130
    assert "Interrupted." in result.stderr
    assert result.stdout == ""
    assert names(tmp_path) == []


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_interrupts_the_presentations(trained, song, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tfdream.reports.presentations.Presentations.measure_and_write",
        lambda *_: signal.raise_signal(signal.SIGINT),
    )
    with handler(signal.SIGINT, signal.default_int_handler):
        call = invoke(*dream(trained, song, tmp_path / "out.wav", "--figure", tmp_path / "a.png"))
    assert call.exit_code == 130
    assert call.stderr.endswith("Interrupted.\n")
    assert "finished part" not in call.stderr
    assert (tmp_path / "out.wav").is_file()


@MAIN_THREAD
def test_first_ctrl_c_requests_a_stop_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as stop_requested:
        assert not stop_requested()
        signal.raise_signal(signal.SIGINT)
        assert stop_requested()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@MAIN_THREAD
def test_ctrl_c_while_the_browser_starts_ends_the_studio(tmp_path, monkeypatch):
    @contextmanager
    def serving(*_):
        yield "http://127.0.0.1:7860/"

    monkeypatch.setattr("tfdream.studio.server.serving", serving)
    monkeypatch.setattr("click.launch", lambda url: signal.raise_signal(signal.SIGINT))
    with handler(signal.SIGINT, signal.default_int_handler):
        call = invoke("studio", tmp_path, "--open")
    assert call.exit_code == 0
    assert call.stderr.endswith("Ending the server.\n")


def test_other_threads_have_no_stop_requests():
    requests = []

    def work():
        with interruptible() as stop_requested:
            requests.append(stop_requested())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert requests == [False]


@pytest.mark.slow
def test_sigint_of_another_process_writes_the_finished_part(trained, song, tmp_path):
    """The command runs in its own process, which receives SIGINT once it writes."""
    output = tmp_path / "out.wav"
    arguments = dream(trained, song, output, "--json", steps=1_000_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "tfdream", *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / ".partial-out.wav").exists() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    result = json.loads(stdout)
    assert result["interrupted"] is True
    assert soundfile.info(output).frames == soundfile.info(song).frames
    assert names(tmp_path) == ["out.wav", "out.wav.json"]


def test_ctrl_c_is_reported_with_exit_code_130(source, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfdream.datasets.preparation.prepare.prepare", interrupt)
    result = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted.\n"


@MAIN_THREAD
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_error_that_a_stop_caused_is_a_stop(source, tmp_path, monkeypatch, number, status):
    """As where an extension calls Python: it turns the exception of the handler into its own."""

    def wrap(*_):
        try:
            signal.raise_signal(number)
        except BaseException:
            raise RuntimeError("Error calling __set_name__") from None

    monkeypatch.setattr("tfdream.datasets.preparation.prepare.prepare", wrap)
    # A shell starts jobs in the background with SIGINT ignored.
    with handler(number, signal.default_int_handler):
        call = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert call.exit_code == status


@MAIN_THREAD
def test_an_ignored_signal_stays_ignored(source, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tfdream.datasets.preparation.prepare.prepare",
        lambda *_: signal.raise_signal(signal.SIGINT) or {},
    )
    with handler(signal.SIGINT, signal.SIG_IGN):
        call = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert call.exit_code == 0
