"""Curves from what the controls of the page contain."""

import pytest

from tfdream.commands.rendering import parse_curve, parse_follower
from tfdream.errors import ConfigError
from tfdream.studio.curve_panel import CurveControls, added, curvable, removed, summary
from tfdream.studio.tasks import load

SUBTLE = load("dream", "dream/subtle")


@pytest.mark.parametrize(
    ("controls", "option"),
    [
        (CurveControls("mix", "0:0, 30:1"), "mix=0:0,30:1"),
        (
            CurveControls("mix", "0:0,4:1", "detected beats", None, "smooth", repeat=True),
            "mix=0:0,4:1@beats@smooth@repeat",
        ),
        (CurveControls("mix", "0:0,4:1", "beats at a tempo", 120), "mix=0:0,4:1@120bpm"),
    ],
)
def test_controls_and_options_give_the_same_curve(controls, option):
    assert parse_curve(option) == ("mix", controls.as_section())


def test_controls_follow_a_recording_as_the_option_does():
    controls = CurveControls("mix", "0:0", follow="drums.wav", low=0.2, high=0.9)
    assert parse_follower("mix=drums.wav@0.2:0.9") == ("mix", controls.as_section())


def test_curves_are_added_replaced_and_removed():
    given = added(("seed=3",), SUBTLE, CurveControls("mix", "0:0, 4:1"))
    config = load("dream", "dream/subtle", given)
    given = added(given, config, CurveControls("mask.strength", "0:1, 8:0", "detected beats"))
    config = load("dream", "dream/subtle", given)
    assert summary(config) == "mix: 0:0, 4:1 in seconds; mask.strength: 0:1, 8:0 in beats"
    given = added(given, config, CurveControls("mix", "0:1"))
    assert summary(load("dream", "dream/subtle", given)).startswith("mix: 0:1 in seconds")
    assert load("dream", "dream/subtle", removed(given)).curves == {}
    assert "seed=3" in given


@pytest.mark.parametrize("points", ["", "4", "0:a", "0:0;4:1"])
def test_points_in_another_form_are_refused(points):
    with pytest.raises(ConfigError, match="is not TIME:VALUE"):
        added((), SUBTLE, CurveControls("mix", points))


def test_a_curve_needs_a_setting():
    with pytest.raises(ConfigError, match="no setting is chosen"):
        added((), SUBTLE, CurveControls(None, "0:0"))


def test_settings_that_can_be_curves():
    assert {"mix", "mask.strength", "canvas.bound_db", "optimizer.steps"} <= set(curvable(SUBTLE))
    assert not {"seed", "octaves.count", "objective"} & set(curvable(SUBTLE))
    assert curvable(load("generate", "generate/recommended")) == ["temperature"]
