"""Curves of settings over time, from the values of the controls of the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tfdream.config import Config, CurveConfig, as_override
from tfdream.config.curves import EASINGS, parse_points, with_values
from tfdream.errors import ConfigError
from tfdream.studio.settings_panel import describe, merged

UNITS = ("seconds", "detected beats", "beats at a tempo")
_PROBES = (0.5, 1.0, 2.0)
"""Values for settings that are null: one of them fits every setting that can be a curve."""


@dataclass(frozen=True)
class CurveControls:
    """Values of the controls of a curve.

    Attributes:
      setting: dotted key of the setting.
      points: pairs of time and value, such as ``0:0, 4:1``; not used with `follow`.
      unit: one of `UNITS`.
      tempo: beats per minute, for beats at a tempo.
      easing: one of `EASINGS`.
      repeat: repeat the curve with the last point as period.
      follow: recording whose loudness gives the value; None uses the points.
      low: value at its softest.
      high: value at its loudest.
    """

    setting: str | None
    points: str = ""
    unit: str = UNITS[0]
    tempo: float | None = None
    easing: str = EASINGS[0]
    repeat: bool = False
    follow: str | None = None
    low: float | None = 0.0
    high: float | None = 1.0

    def as_section(self) -> dict[str, Any]:
        """Return the curve as a section of a recipe.

        Raises:
          ConfigError: if the points have another form.

        >>> CurveControls("mix", "0:0, 4:1", "detected beats", repeat=True).as_section()
        {'points': [[0.0, 0.0], [4.0, 1.0]], 'unit': 'beats', 'repeat': True}
        """
        if self.follow:
            return {"follow": self.follow, "range": [float(self.low or 0), float(self.high or 0)]}
        try:
            section: dict[str, Any] = {"points": parse_points(self.points)}
        except ValueError as error:
            raise ConfigError(f"points: {error}") from None
        if self.unit != UNITS[0]:
            section["unit"] = "beats"
        if self.unit == UNITS[2]:
            section["tempo"] = float(self.tempo or 0)
        if self.easing != EASINGS[0]:
            section["easing"] = self.easing
        if self.repeat:
            section["repeat"] = True
        return section


def curvable(config: Config) -> list[str]:
    """Return the settings of a recipe that can be curves, those of the strength first."""
    return [each.key for each in describe(config) if _can_vary(config, each.key, each.value)]


def _can_vary(config: Config, key: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    for probe in [value] if is_number else _PROBES if value is None else ():
        try:
            curve = CurveConfig(points=((0.0, probe),))
            content = with_values(config, {}).model_dump(mode="json")
            content["curves"] = {key: curve.model_dump(mode="json")}
            type(config).model_validate(content)
        except ValueError:
            continue
        return True
    return False


def added(overrides: Iterable[str], config: Any, controls: CurveControls) -> tuple[str, ...]:
    """Return overrides with a further curve, which replaces one of the same setting.

    Args:
      overrides: changed settings.
      config: the recipe with these overrides.
      controls: the curve.

    Raises:
      ConfigError: if no setting is chosen, or the points have another form.
    """
    if not controls.setting:
        raise ConfigError("no setting is chosen for the curve; choose one")
    curves = {
        name: curve.model_dump(mode="json", exclude_defaults=True)
        for name, curve in config.curves.items()
    }
    curves[controls.setting] = controls.as_section()
    return merged(overrides, [as_override("curves", curves)])


def removed(overrides: Iterable[str]) -> tuple[str, ...]:
    """Return overrides without curves, also those of the recipe."""
    return merged(overrides, ["curves={}"])


def summary(config: Any) -> str:
    """Return the settings that are curves, in one line; empty if there are none.

    >>> from tfdream.studio.tasks import load
    >>> summary(load("dream", "dream/subtle", ['curves={"mix": {"points": [[0, 0], [4, 1]]}}']))
    'mix: 0:0, 4:1 in seconds'
    """
    return "; ".join(f"{name}: {_describe(curve)}" for name, curve in config.curves.items())


def _describe(curve: CurveConfig) -> str:
    if curve.follow:
        low, high = curve.range
        return f"follows {curve.follow}, from {low:g} to {high:g}"
    unit = f"beats at {curve.tempo:g} bpm" if curve.tempo else curve.unit
    details = [f"{_points(curve.points)} in {unit}"]
    details += [curve.easing] if curve.easing != EASINGS[0] else []
    details += ["repeated"] if curve.repeat else []
    return ", ".join(details)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{time:g}:{value:g}" for time, value in points)
