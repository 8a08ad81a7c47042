"""Calls in processes of their own."""

import os
import signal
from multiprocessing.context import SpawnProcess

import pytest
from work import absolute_in_pool, double, end

from tfdream.errors import ConfigError
from tfdream.io.processes import call_apart, spawn


def test_result_progress_and_log_come_from_another_process(caplog):
    reports = []
    result, process = call_apart(
        double, lambda *values, **named: reports.append((values, named)), 4
    )
    assert result == 8
    assert process != os.getpid()
    assert reports == [((1, 2), {"note": "half"})]
    assert caplog.messages == ["value 4"]


def test_errors_are_raised():
    with pytest.raises(ConfigError, match=r"^3 is wrong$"):
        call_apart(double, lambda *_, **__: None, 3, fails=True)


def test_a_process_that_ends_is_an_error():
    with pytest.raises(RuntimeError, match="ended with status 7"):
        call_apart(end)


def test_the_function_may_start_processes():
    assert call_apart(absolute_in_pool, lambda *_, **__: None, -3) == 3


def test_ctrl_c_does_not_interrupt_the_start_of_a_process(monkeypatch):
    """Python would print a traceback while it starts; the new process inherits the mask."""

    def blocked():
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    during = []
    monkeypatch.setattr(SpawnProcess, "start", lambda self: during.append(blocked()))
    spawn(print)
    assert during == [True]
    assert not blocked()
