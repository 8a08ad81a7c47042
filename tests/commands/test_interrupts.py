"""Ctrl-C, and signals from outside."""

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
from calling import EAGERLY, answer, dream, invoke, names, no_number

from tfdream.commands.console import interruptible

MAIN_THREAD = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="only the main thread hears signals",
)


@pytest.fixture
def ctrl_c(monkeypatch):
    """Presses Ctrl-C as a step is reported: the third one of each call of a command."""

    @contextmanager
    def bar(description, unit):
        steps = 0

        def report(done, total, note=""):
            nonlocal steps
            steps += 1
            if steps == 3:
                signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr("tfdream.commands.synthesis.progress_bar", bar)


def interrupted(*arguments):
    """The JSON object of a command that was stopped, and what it said to people."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 130, result.output
    told = json.loads(result.stdout, parse_constant=no_number)
    assert told["interrupted"] is True
    return told


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_keeps_what_is_dreamt(trained, song, tmp_path, ctrl_c):
    before = signal.getsignal(signal.SIGINT)
    as_it_comes = ("--bits", 32, "--set", "normalize=limit")  # the whole would get softer otherwise
    told = interrupted(*dream(trained, song, tmp_path / "out.wav", *as_it_comes, steps=5))
    assert signal.getsignal(signal.SIGINT) is before
    assert (told["steps"], told["changed_seconds"]) == (3, 1.0)
    original, _ = soundfile.read(song, dtype="float32")
    changed, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.array_equal(changed[8000:], original[8000:])
    assert not np.array_equal(changed[:8000], original[:8000])


@EAGERLY
@MAIN_THREAD
def test_ctrl_c_keeps_what_is_translated(translation, song, tmp_path, ctrl_c):
    told = interrupted(
        *("translate", song, tmp_path / "out.wav", "--model", translation[0], "--bits", 32),
        *("--set", "tiles.overlap_seconds=0.05", "--set", "normalize=limit"),
    )
    assert told["changed_seconds"] == pytest.approx(0.95 + 0.95 + 1)
    original, _ = soundfile.read(song, dtype="float32")
    changed, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    rest = round(8000 * told["changed_seconds"])
    assert np.array_equal(changed[rest:], original[rest:])
    assert not np.array_equal(changed[:8000], original[:8000])


@MAIN_THREAD
@pytest.mark.slow
def test_ctrl_c_ends_a_folder_and_the_next_call_goes_on(
    trained, album, tmp_path, ctrl_c, monkeypatch
):
    (album / "bad.wav").unlink()
    output = tmp_path / "out"
    told = interrupted(*dream(trained, album, output, steps=2))
    # One is whole; the other was stopped at its first step.
    assert ["interrupted" in each for each in told["files"]] == [False, True]
    monkeypatch.undo()
    again = answer(*dream(trained, album, output, steps=2))
    assert again["kept"] == [str(output / "b.wav")]
    assert [each["output"] for each in again["files"]] == [str(output / "a.flac")]
    assert again["skipped"] == []


@MAIN_THREAD
@pytest.mark.slow
def test_ctrl_c_ends_the_layers(trained, album, tmp_path, ctrl_c):
    layers = [word for layer in ("conv1", "conv2", "embedding") for word in ("--layer", layer)]
    source, output = album / "b.wav", tmp_path / "{layer}.wav"
    told = interrupted(*dream(trained, source, output, *layers, steps=2))
    assert [each["objective"] for each in told["files"]] == [
        "layer_norm(conv1)",
        "layer_norm(conv2)",
    ]
    assert names(tmp_path) == [
        "album",
        *(f"conv{n}.wav{end}" for n in (1, 2) for end in ("", ".json")),
    ]


@EAGERLY
@MAIN_THREAD
def test_a_second_ctrl_c_gives_it_up(trained, song, tmp_path, monkeypatch):
    @contextmanager
    def impatient(description, unit):
        def report(done, total, note=""):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr("tfdream.commands.synthesis.progress_bar", impatient)
    result = invoke(*dream(trained, song, tmp_path / "out.wav"))
    assert result.exit_code == 130
    assert "Interrupted." in result.stderr
    assert result.stdout == ""
    assert names(tmp_path) == []


@MAIN_THREAD
def test_an_end_is_asked_for_by_the_first_ctrl_c_and_made_by_the_second():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_beside_the_main_thread_nobody_asks():
    found = []

    def work():
        with interruptible() as asked:
            found.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.slow
def test_a_signal_from_outside_keeps_what_is_dreamt(trained, song, tmp_path):
    """A process of its own, which gets SIGINT as soon as it has begun to write."""
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
    told = json.loads(stdout)
    assert told["interrupted"] is True
    assert soundfile.info(output).frames == soundfile.info(song).frames
    assert names(tmp_path) == ["out.wav", "out.wav.json"]


def test_ctrl_c_is_said_and_leaves_130(source, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfdream.datasets.preparation.prepare.prepare", interrupt)
    result = invoke("prepare", source, tmp_path / "new", "--config", "lil_data")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted.\n"
