"""Files are decoded in another process, which may crash, block or need too much memory."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from strategies import noise

from tfdream import audio
from tfdream.audio import decode
from tfdream.audio.decoders import isolation
from tfdream.errors import AudioError

RATE = 8000
SAMPLES = 3 * audio.BLOCK_SAMPLES + 5


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("song") / "a.wav"
    soundfile.write(path, noise(SAMPLES, 2), RATE, "FLOAT")
    return path


@pytest.fixture
def _new_processes():
    """Processes that other tests do not share."""
    isolation._POOL.clear()
    yield
    isolation._POOL.clear()


def open_isolated(path):
    return audio.Reader(path, isolated=True)


def pid(reader):
    return reader._decoder._worker._process.pid


def test_samples_header_and_damage_are_those_of_decoding_here(path, tmp_path):
    (tmp_path / "half.wav").write_bytes(path.read_bytes()[:500_000])
    for file in (path, tmp_path / "half.wav"):
        with open_isolated(file) as there, audio.Reader(file, isolated=False) as here:
            assert there.info == here.info
            assert there.damage is None
            for _ in range(2):  # from the start, a second time
                blocks = list(there.blocks())
                assert all(block.dtype == np.float32 for block in blocks)
                np.testing.assert_array_equal(
                    np.concatenate(blocks), np.concatenate(list(here.blocks()))
                )
                assert there.damage == here.damage
            assert bool(there.damage) == (file != path)


def test_a_process_is_used_again(path):
    with open_isolated(path) as reader:
        first = pid(reader)
        next(reader.blocks())  # and not the rest
    with open_isolated(path) as reader:
        assert pid(reader) == first
        assert sum(map(len, reader.blocks())) == SAMPLES


def test_several_files_are_open_at_a_time(path):
    expected, _ = audio.read(path)
    with open_isolated(path) as one, open_isolated(path) as two, open_isolated(path) as three:
        assert len({pid(one), pid(two), pid(three)}) == 3
        for blocks in zip(one.blocks(1000), two.blocks(1000), strict=True):
            np.testing.assert_array_equal(*blocks)
        np.testing.assert_array_equal(np.concatenate(list(three.blocks())), expected)


def test_threads_decode_at_a_time(path):
    counts = []

    def count():
        with open_isolated(path) as reader:
            counts.append(sum(map(len, reader.blocks())))

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [SAMPLES] * 3


def test_errors_of_files_name_the_path_that_was_given(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.wav").write_bytes(b"This is no music.")
    with pytest.raises(AudioError, match=r"^'text.wav' cannot be decoded: "):
        open_isolated("text.wav")
    with open_isolated(path) as reader:  # the process still works
        assert reader.info.samples == SAMPLES


def test_a_crash_is_an_error_of_one_file(path):
    with open_isolated(path) as reader, open_isolated(path) as other:
        blocks = reader.blocks()
        next(blocks)
        os.kill(pid(reader), signal.SIGSEGV)
        text = f"'{path}' cannot be decoded: the decoder crashed on it (signal 11)"
        with pytest.raises(AudioError) as caught:
            list(blocks)
        assert str(caught.value) == text
        assert sum(map(len, other.blocks())) == SAMPLES
    with open_isolated(path) as reader:
        assert sum(map(len, reader.blocks())) == SAMPLES


def test_a_crash_while_waiting_is_not_an_error_of_the_next_file(path):
    with open_isolated(path) as reader:
        crashed = pid(reader)
    os.kill(crashed, signal.SIGKILL)
    time.sleep(0.1)
    with open_isolated(path) as reader:
        assert pid(reader) != crashed
        assert reader.info.samples == SAMPLES


def test_a_blocked_decoder_is_an_error_after_a_time(path, monkeypatch):
    with open_isolated(path) as reader:
        monkeypatch.setattr(isolation, "STALL_SECONDS", 0.2)
        os.kill(pid(reader), signal.SIGSTOP)
        with pytest.raises(AudioError, match=r"the decoder did not respond for 0.2 s$"):
            list(reader.blocks())


def test_a_guarded_process_ends_if_opening_or_decoding_takes_too_long(path, monkeypatch):
    monkeypatch.setenv("TFDREAM_ISOLATE", isolation._GUARDED)
    guarded = []

    @contextmanager
    def exiting_on_stall():
        guarded.append("begun")
        yield
        guarded.append("ended")

    def open_here(path):
        guarded.append("open")
        return opened(path)

    opened = decode.open_here
    monkeypatch.setattr(isolation, "exiting_on_stall", exiting_on_stall)
    monkeypatch.setattr(decode, "open_here", open_here)
    with audio.Reader(path) as reader:
        assert guarded == ["begun", "open", "ended"]
        next(reader.blocks())
        assert guarded[3:] == ["begun", "ended"]


STALL = """
import time
from tfdream.audio.decoders import limits
limits._EXIT_SECONDS = 0.05
with limits.exiting_on_stall():
    pass
time.sleep(0.1)
print("no stall", flush=True)
with limits.exiting_on_stall():
    sum(iter(int, 1))
"""


def test_a_process_that_stalls_in_c_code_ends():
    done = subprocess.run([sys.executable, "-c", STALL], check=False, capture_output=True)
    assert done.stdout == b"no stall\n"
    assert done.returncode == -signal.SIGALRM


@pytest.mark.usefixtures("_new_processes")
def test_processes_can_be_started_before_they_are_used(path, monkeypatch):
    monkeypatch.setenv("TFDREAM_ISOLATE", "1")
    isolation.start_early(2)
    started = {worker._process.pid for worker in isolation._POOL._idle}
    assert len(started) == 2
    with audio.Reader(path) as one, audio.Reader(path) as two:
        assert {pid(one), pid(two)} == started


@pytest.mark.usefixtures("_new_processes")
def test_memory_is_limited(path, monkeypatch):
    changed = isolation._MAIN.replace(
        "; main(", "; from tfdream.audio.decoders import worker; worker.open_here = open; main("
    ).replace("open_here = open", "open_here = lambda path: bytearray(3 << 30)")
    monkeypatch.setattr(isolation, "_MAIN", changed)
    with pytest.raises(AudioError, match="needs more memory than its decoder may use"):
        open_isolated(path)


@pytest.mark.usefixtures("_new_processes")
def test_output_of_libraries_goes_nowhere(path, monkeypatch, capfd):
    noisy = isolation._MAIN.replace("import sys;", "import sys, os; os.write(2, b'chatter');")
    monkeypatch.setattr(isolation, "_MAIN", noisy.replace("main(", "os.write(1, b'!'); main("))
    with open_isolated(path) as reader:
        assert reader.info.samples == SAMPLES
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_ends_the_process(path, monkeypatch):
    with open_isolated(path) as reader:
        number = pid(reader)
        blocks = reader.blocks()
        next(blocks)
        monkeypatch.setattr(
            reader._decoder._worker._replies, "poll", lambda _: (_ for _ in ()).throw(KeyError)
        )
        with pytest.raises(KeyError):
            next(blocks)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_the_environment_variable_turns_it_off(path, monkeypatch):
    for value, isolated in {"0": False, "1": True}.items():
        monkeypatch.setenv("TFDREAM_ISOLATE", value)
        with audio.Reader(path) as reader:
            assert isinstance(reader._decoder, isolation.IsolatedDecoder) == isolated
    monkeypatch.delenv("TFDREAM_ISOLATE")
    with audio.Reader(path) as reader:
        assert isinstance(reader._decoder, isolation.IsolatedDecoder)
    monkeypatch.setenv("TFDREAM_ISOLATE", "0")
    monkeypatch.setattr(isolation, "limit_process", lambda memory_bytes: None)  # this one is shared
    isolation.decode_here()
    with audio.Reader(path) as reader:
        assert sum(map(len, reader.blocks())) == SAMPLES
        assert reader.damage == audio.Damage(SAMPLES, SAMPLES)


def test_no_process_remains_and_none_imports_tensorflow_or_scipy(path):
    script = (
        "import os, sys; from tfdream import audio; reader = audio.Reader(sys.argv[1]);"
        "pid = reader._decoder._worker._process.pid; next(reader.blocks());"
        "modules = open(f'/proc/{pid}/maps').read() if os.path.exists('/proc/self/maps') else '';"
        "print(pid, *(name in modules for name in ('/tensorflow/', '/scipy/')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, path],
        env={**os.environ, "TFDREAM_ISOLATE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    number, *imported = result.stdout.split()
    assert (imported, result.stderr) == (["False", "False"], "")
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.kill(int(number), 0)
            time.sleep(0.1)
