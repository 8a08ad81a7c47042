"""Calls in processes of their own."""

import os

import pytest
from work import absolute_in_pool, double, end

from tfdream.errors import ConfigError
from tfdream.io.processes import call_apart


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
