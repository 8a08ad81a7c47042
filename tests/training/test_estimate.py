"""The estimate of the duration of a training."""

import pytest

from tfdream.training import estimate
from tfdream.training.estimate import Estimate, peak_memory_bytes


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""
    seconds = [0.0]
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: seconds[0])
    return seconds


def run(callback, clock, steps, seconds_per_step=2.0):
    for batch in range(steps):
        clock[0] += seconds_per_step
        callback.on_train_batch_end(batch)


def test_the_remaining_time_is_logged_once_from_the_steps_after_the_first_ones(clock, caplog):
    caplog.set_level("INFO")
    callback = Estimate(first_epoch=10)
    callback.set_params({"steps": 100, "epochs": 30})
    run(callback, clock, 100)
    (message,) = caplog.messages
    # After 3 + 5 steps of 2 s, 1992 of 2000 steps remain.
    assert message.startswith("about 66 min for the remaining steps of 20 epochs")


def test_a_short_epoch_is_measured_to_its_end(clock, caplog):
    caplog.set_level("INFO")
    callback = Estimate(first_epoch=0)
    callback.set_params({"steps": 5, "epochs": 11})
    run(callback, clock, 5)
    assert caplog.messages[0].startswith("about 2 min for the remaining steps of 11 epochs")


def test_a_validation_between_the_steps_is_not_measured(clock, caplog):
    caplog.set_level("INFO")
    callback = Estimate(first_epoch=0)
    callback.set_params({"steps": 3, "epochs": 31})
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        run(callback, clock, 3)
        clock[0] += 1000  # of validation
    # 87 steps of 2 s remain.
    assert caplog.messages[0].startswith("about 3 min for the remaining steps of 31 epochs")


def test_fewer_steps_than_are_ignored_give_no_estimate(clock, caplog):
    callback = Estimate(first_epoch=0)
    callback.set_params({"steps": 3, "epochs": 1})
    run(callback, clock, 3)
    assert not caplog.messages


def test_memory_is_that_of_a_python_process():
    assert 2**24 < peak_memory_bytes() < 2**40
