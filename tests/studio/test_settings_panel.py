"""Every setting of every recipe has a control, and controls become the overrides of a command."""

from dataclasses import replace

import pytest

from tfdream.errors import ConfigError
from tfdream.studio import settings_panel
from tfdream.studio.settings_panel import EXCLUDED, Setting, describe, merged, overrides
from tfdream.studio.tasks import TASKS, load

RECIPES = [(task.name, recipe) for task in TASKS.values() for recipe in task.recipes()]
EACH_RECIPE = pytest.mark.parametrize(("task", "recipe"), RECIPES)


def leaves(section, prefix=""):
    """Yield the dotted keys of all settings, from the fields of the pydantic models."""
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{prefix}{name}"
        if hasattr(type(value), "model_fields"):
            yield from leaves(value, f"{key}.")
        else:
            yield key


def is_covered(key, controls):
    """Return whether a control changes a setting, itself or as a part of a section in YAML."""
    parts = key.split(".")
    above = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    # The control of a section chooses its kind, or null; its settings have their own controls.
    return any(
        control.key in above
        and (control.kind != "section" or key in (control.key, f"{control.key}.kind"))
        for control in controls
    )


@EACH_RECIPE
def test_every_setting_has_a_control_or_is_excluded(task, recipe):
    config = load(task, recipe)
    controls = describe(config)
    keys = list(leaves(config))
    assert {key for key in keys if not is_covered(key, controls)} == EXCLUDED.keys() & set(keys)


def test_the_excluded_settings_exist():
    keys = {key for task, recipe in RECIPES for key in leaves(load(task, recipe))}
    assert EXCLUDED.keys() <= keys
    assert all(reason.endswith(".") for reason in EXCLUDED.values())


@EACH_RECIPE
def test_unchanged_controls_need_no_overrides(task, recipe):
    settings = describe(load(task, recipe))
    assert overrides(settings, [setting.shown for setting in settings]) == ()


@EACH_RECIPE
def test_the_command_line_reads_what_controls_write(task, recipe):
    """The values of all controls at once, as overrides of another value, give the same recipe."""
    config = load(task, recipe)
    settings = [each for each in describe(config) if each.kind != "section"]
    others = [replace(each, value=object()) for each in settings]
    given = overrides(others, [each.shown for each in settings])
    assert len(given) == len(settings)
    assert load(task, recipe, given) == config


def test_another_section_has_other_settings():
    settings = describe(load("dream", "dream/recommended"))
    shown = ["waveform" if each.key == "canvas" else each.shown for each in settings]
    (changed,) = overrides(settings, shown)
    assert changed == 'canvas={"kind": "waveform"}'
    keys = {each.key for each in describe(load("dream", "dream/recommended", [changed]))}
    assert "canvas.bound_db" not in keys
    assert "canvas.kind" not in keys


def test_null_is_a_choice_of_optional_settings():
    settings = describe(
        load("dream", "dream/recommended", ["optimizer.smoothing={kind: gaussian}"])
    )
    smoothing = next(each for each in settings if each.key == "optimizer.smoothing")
    assert overrides([smoothing], [settings_panel.NONE]) == ("optimizer.smoothing=null",)
    low = next(each for each in settings if each.key == "filter.low_hz")
    assert overrides([low], ["80"]) == ("filter.low_hz=80",)
    assert overrides([low], ["null"]) == ()


def test_settings_have_descriptions():
    settings = describe(load("dream", "dream/recommended"))
    described = [setting for setting in settings if setting.description]
    assert len(described) > len(settings) / 2


def test_values_that_are_not_yaml_are_refused():
    with pytest.raises(ConfigError, match=r"mask\.strength: '\[' is not YAML"):
        Setting("mask.strength", "yaml", []).read("[")


def test_later_overrides_replace_earlier_ones():
    assert merged(["seed=1"], ["seed=2"]) == ("seed=2",)
    assert merged(["canvas.bound_db=3"], ["canvas={}"]) == ("canvas={}",)
    assert merged(["canvas={}"], ["canvas.bound_db=3"]) == ("canvas={}", "canvas.bound_db=3")
