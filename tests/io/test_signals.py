"""Signals during work that must not be interrupted, and during calls that block."""

import os
import shutil
import signal
import threading

import pytest
from calling import handler

from tfdream.io.atomic import replacing
from tfdream.io.signals import call_interruptibly, uninterrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(BaseException):
    """What the handlers of these tests raise."""


@pytest.fixture
def stopping():
    """Handlers that raise an exception at both signals."""

    def stop(number, frame):
        raise Stop

    with handler(signal.SIGINT, stop), handler(signal.SIGTERM, stop):
        yield stop


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_postponed_to_the_end_of_the_block(stopping, number):
    done = []
    with pytest.raises(Stop), uninterrupted():
        os.kill(os.getpid(), number)
        done.append(number)
    assert done == [number]
    assert signal.getsignal(number) is stopping


def test_a_signal_that_is_ignored_stays_ignored(stopping):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_a_second_signal_leaves_no_part_of_a_folder(stopping, tmp_path, monkeypatch):
    def rmtree(folder):
        os.kill(os.getpid(), signal.SIGTERM)
        remove(folder)

    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(Stop), replacing(tmp_path / "model") as temporary:
        temporary.mkdir()
        (temporary / "graph").touch()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", SIGNALS)
def test_the_handler_of_a_signal_ends_a_call_but_not_its_function(stopping, number):
    """A function of a library would not return before the end of its wait."""
    released, interrupted = threading.Event(), []

    def block():
        try:
            os.kill(os.getpid(), number)
            released.wait()
        except Stop:
            interrupted.append(number)

    with pytest.raises(Stop):
        call_interruptibly(block)
    released.set()
    assert not interrupted


def test_an_error_of_a_call_is_raised():
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(lambda: 1 / 0)
