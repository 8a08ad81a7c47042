"""Texts of the page."""

from pathlib import Path

import pytest

from tfdream.studio.events import Step
from tfdream.studio.history import Entry
from tfdream.studio.job import Job
from tfdream.studio.jobs import Status
from tfdream.studio.presentation import findings, status_value


@pytest.mark.parametrize(
    ("task", "value", "shown"),
    [("dream", 1.5, "objective 1.5"), ("transfer", 2.5, "loss 2.5"), ("generate", None, "")],
)
def test_the_value_of_a_step_has_the_name_of_the_task(task, value, shown):
    step = Step(1, 2, float("nan") if value is None else value)
    text = status_value(Status(running=Job(task), step=step))["text"]
    assert text.endswith(f"; {shown}" if shown else " s")


def test_a_stopped_generation_states_what_is_generated():
    result = {"generated_seconds": 4.5, "seed": 0, "interrupted": True}
    text = findings([Entry(Path("0001-new"), Job("generate"), result, "")])
    assert "Stopped: 4.5 s are generated." in text
