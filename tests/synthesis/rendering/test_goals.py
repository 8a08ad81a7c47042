"""Tiles whose objective gets worse."""

import numpy as np
import pytest

from tfdream.synthesis.rendering.goals import GoalCheck
from tfdream.synthesis.rendering.processor import Goal
from tfdream.synthesis.rendering.tiles import Tiles

BEFORE = np.array([1.0, 2.0])


class Processor:
    """Measures `loss`; unchanged tiles have the values before."""

    def __init__(self, goal):
        self.goal = goal

    def process(self, tiles, on_step=None, apply=True):
        return tiles.channels, {"loss_before": BEFORE, "loss_after": BEFORE}


@pytest.fixture
def tiles():
    return Tiles(np.zeros((2, 4, 1)), np.array([1.0, 0.5]), np.arange(2), np.zeros(2, int))


def check(tiles, goal, after, keep_falling=False):
    goal_check = GoalCheck(Processor(goal), keep_falling)
    measures = {"loss_before": BEFORE, "loss_after": np.array(after)}
    changed, measures = goal_check.revert_worse(tiles, np.ones((2, 4, 1)), measures)
    return goal_check, changed[:, 0, 0].tolist(), measures["loss_after"].tolist()


MEANS = {"loss_before": 1.5, "loss_rendered": 1.5}


@pytest.mark.parametrize(
    ("rises", "after", "changed", "left"),
    [
        (True, [0.5, 3.0], [0.0, 1.0], [1.0, 3.0]),
        (False, [0.5, 3.0], [1.0, 0.0], [0.5, 2.0]),
        (True, [1.0, 2.0 - 1e-6], [1.0, 1.0], [1.0, 2.0 - 1e-6]),  # rounding
    ],
)
def test_only_tiles_that_get_worse_stay_unchanged(tiles, rises, after, changed, left):
    goal_check, *result = check(tiles, Goal("loss", rises), after)
    assert result == [changed, left]
    worse = changed.count(0.0)
    assert goal_check.result(MEANS) == {
        ("loss_fell" if rises else "loss_rose"): bool(worse),
        "unchanged_tiles": worse,
    }
    assert len(list(goal_check.notes(MEANS))) == worse


@pytest.mark.parametrize(
    ("goal", "keep_falling"), [(Goal("loss"), True), (Goal("loss", reverts=False), False)]
)
def test_worse_tiles_are_written_on_request(tiles, goal, keep_falling):
    goal_check, changed, after = check(tiles, goal, [0.5, 3.0], keep_falling)
    assert (changed, after) == ([1.0, 1.0], [0.5, 3.0])
    assert goal_check.result(MEANS) == {"loss_fell": True, "unchanged_tiles": 0}
    (note,) = goal_check.notes(MEANS)
    assert "fell from 1 to 0.5 in 1 of 2 tiles, which are written" in note
    assert note.endswith(goal.remedy)


def test_a_note_names_settings_of_its_own_recipe(tiles):
    goal_check, *_ = check(tiles, Goal("loss", remedy="use another style"), [0.5, 3.0])
    (note,) = goal_check.notes(MEANS)
    assert note.endswith("stay unchanged; use another style, or --keep-falling")


def test_a_written_file_that_is_worse_than_the_original_is_noted(tiles):
    goal_check, *_ = check(tiles, Goal("loss"), [3.0, 3.0])
    means = {"loss_before": 1.5, "loss_rendered": 1.2}
    assert goal_check.result(means) == {"loss_fell": True, "unchanged_tiles": 0}
    (note,) = goal_check.notes(means)
    assert "of the written file, 1.2, is worse than that of the original, 1.5" in note


def test_without_a_goal_nothing_is_compared(tiles):
    goal_check, changed, _ = check(tiles, None, [0.0, 0.0])
    assert (changed, goal_check.result({}), list(goal_check.notes({}))) == ([1.0, 1.0], {}, [])
