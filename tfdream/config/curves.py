"""Curves: settings that vary over time, in seconds or in beats."""

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError, model_validator

from tfdream.config.base import Config, NotNegative, Positive
from tfdream.config.loading import describe

if TYPE_CHECKING:  # the command line starts without NumPy
    import numpy as np
    from numpy.typing import NDArray

Schema = TypeVar("Schema", bound=Config)
Finite = Annotated[float, Field(allow_inf_nan=False)]

Easing = Literal["linear", "smooth", "step"]
EASINGS: tuple[Easing, ...] = get_args(Easing)

_CHECKED_SHARES = (0.0, 0.25, 0.5, 0.75, 1 - 1e-9)
"""Places between two points at which curves are checked together, unless all are linear; the last
one is just before the second point, where the value of a step changes."""

_FIXED = {
    "seed": "it is one for the whole file",
    "filter": "filters apply to the whole file",
    "normalize": "the level applies to the whole file",
    "tiles": "tiles have one length",
    "octaves.count": "it changes the number of sizes of the view",
    "canvas.stft": "the STFT has one size",
    "network": "the network is the same for all tiles",
    "dictionary_frames": "the dictionary is the same for all tiles",
    "semitones": "the dictionary is the same for all tiles",
    "residual_share": "the mapping is the same for all tiles",
    "beats_per_bar": "all bars have the same length",
    "crossfade_seconds": "there is one crossfade",
    "phase": "all frames have the same phase reconstruction",
}
"""Numeric settings that no curve can change, and why; also as settings of a section."""


class CurveConfig(Config):
    """A value over time: between points, or from the loudness of another recording.

    >>> CurveConfig(unit="beats", points=[[0, 0], [4, 1]], repeat=True).period
    4.0
    """

    unit: Literal["seconds", "beats"] = "seconds"
    """Unit of the times of `points`, counted from the start of the output; beat 0 begins a bar."""
    points: tuple[tuple[NotNegative, Finite], ...] = ()
    """Pairs of time and value; before the first and after the last one, the value is constant."""
    easing: Easing = "linear"
    """Between two points: a straight line, a half cosine, or the value of the first one."""
    repeat: bool = False
    """Repeat the curve with the time of the last point as period."""
    tempo: Positive | None = None
    """Beats per minute, from the start of the output on; null detects the recording's beats."""
    beats_per_bar: Annotated[int, Field(ge=1, le=16)] = 4
    """For detected beats: the beat with the strongest bass is the first of a bar."""
    follow: Annotated[str, Field(min_length=1)] | None = None
    """Audio file whose loudness gives the value, instead of points."""
    range: tuple[Finite, Finite] = (0.0, 1.0)
    """For `follow`: the values at its softest and at its loudest."""
    range_db: Positive = 40.0
    """For `follow`: distance in dB of the softest level from the loudest one."""

    @property
    def period(self) -> float:
        """Time of the last point, in `unit`."""
        return self.points[-1][0]

    @property
    def values(self) -> tuple[float, ...]:
        """The values between which the curve moves."""
        return self.range if self.follow else tuple(value for _, value in self.points)

    @property
    def seconds_per_unit(self) -> float | None:
        """Seconds of the unit of `points`; None for beats of a recording."""
        if self.unit == "seconds":
            return 1.0
        return None if self.tempo is None else 60 / self.tempo

    def at(self, times: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the values of a curve with points at some times in its unit, of the same shape.

        >>> import numpy as np
        >>> curve = CurveConfig(points=[[0, 0], [2, 1]], repeat=True)
        >>> curve.at(np.array([0.5, 1.0, 2.5])).tolist()
        [0.25, 0.5, 0.25]
        """
        import numpy as np

        points = np.array(self.points)
        times = np.mod(times, self.period) if self.repeat else times
        number = np.clip(np.searchsorted(points[:, 0], times, side="right") - 1, 0, len(points) - 1)
        later = np.minimum(number + 1, len(points) - 1)
        start, length = points[number, 0], np.maximum(points[later, 0] - points[number, 0], 1e-9)
        share = np.clip((times - start) / length, 0, 1)
        if self.easing == "step":
            share = np.zeros_like(share)
        elif self.easing == "smooth":
            share = 0.5 - 0.5 * np.cos(np.pi * share)
        change = points[later, 1] - points[number, 1]
        values: NDArray[np.float64] = points[number, 1] + share * change
        return values

    @model_validator(mode="after")
    def _is_defined(self) -> "CurveConfig":
        if (self.follow is None) != bool(self.points):
            raise ValueError("a curve has either points or follow; give one of them")
        times = [time for time, _ in self.points]
        if any(later <= time for time, later in itertools.pairwise(times)):
            raise ValueError("the times of points are not ascending; put them in order")
        if self.repeat and (self.follow or self.period <= 0):
            raise ValueError("repeat needs points, the last one later than 0")
        if self.tempo is not None and self.unit != "beats":
            raise ValueError(f"tempo={self.tempo:g} is for unit=beats")
        return self


Curves = dict[str, CurveConfig]
"""Curves by the dotted key of the setting, such as ``canvas.bound_db``."""


def parse_points(text: str) -> list[list[float]]:
    """Convert points such as ``0:0,4:1`` to pairs of time and value.

    Raises:
      ValueError: if the text has another form.

    >>> parse_points("0:0, 4:0.5")
    [[0.0, 0.0], [4.0, 0.5]]
    """
    points = []
    for point in text.split(","):
        time, _, value = point.partition(":")
        try:
            points.append([float(time), float(value)])
        except ValueError:
            raise ValueError(f"'{point.strip()}' is not TIME:VALUE, such as 4:0.5") from None
    return points


def with_values(config: Schema, values: Mapping[str, float]) -> Schema:
    """Return settings with some values replaced, and without curves.

    Args:
      config: settings with a section `curves`.
      values: new values by dotted key.

    Raises:
      ValueError: if a key is not a numeric setting, or a value does not fit.
    """
    content = config.model_dump(mode="json")
    content["curves"] = {}
    for name, value in values.items():
        section, key = _place(content, name)
        section[key] = round(value) if _is_integer(section[key]) else float(value)
    try:
        return type(config).model_validate(content)
    except ValidationError as error:
        raise ValueError(describe(error, content, type(config))) from None


def followed(curves: Curves) -> list[str]:
    """Return the recordings that curves follow."""
    return [curve.follow for curve in curves.values() if curve.follow is not None]


def check_curves(config: Config, curves: Curves, allowed: Iterable[str] | None = None) -> None:
    """Check that settings can vary as curves do.

    Args:
      config: the settings.
      curves: curves of some of them.
      allowed: the only settings that can; None allows all that are not fixed.

    Raises:
      ValueError: if a setting does not exist, is not a number, cannot vary, or cannot have a value
        of its curve together with those of the other curves at the same time.
    """
    if not curves:
        return
    content = config.model_dump(mode="json")
    for name in curves:
        if allowed is not None and name not in allowed:
            raise ValueError(f"'{name}' cannot be a curve; of these settings, {_or(allowed)} can")
        for fixed, reason in _FIXED.items():
            if f"{name}.".startswith(f"{fixed}.") or name.endswith(f".{fixed}"):
                raise ValueError(f"'{name}' cannot be a curve, because {reason}; remove it")
        _place(content, name)
    for values in _simultaneous_values(curves):
        try:
            with_values(config, values)
        except ValueError as error:
            raise ValueError(f"a value of the curves does not fit: {error}") from None


def _simultaneous_values(curves: Curves) -> Iterator[dict[str, float]]:
    """Yield the values that matter for a check of curves together.

    The values of curves in different times, such as seconds and detected beats, are combined in
    every way.
    """
    groups: dict[Hashable, Curves] = {}
    for name, curve in curves.items():
        groups.setdefault(_clock(curve), {})[name] = curve
    for parts in itertools.product(*map(_group_values, groups.values())):
        yield {name: value for part in parts for name, value in part.items()}


def _clock(curve: CurveConfig) -> Hashable:
    """Return what curves have in common whose values at the same time are known."""
    if curve.follow is not None:
        return curve.follow, curve.range_db
    scale = curve.seconds_per_unit
    beats_per_bar = curve.beats_per_bar if scale is None else None
    return beats_per_bar, curve.period * (scale or 1.0) if curve.repeat else None


def _group_values(group: Curves) -> list[dict[str, float]]:
    """Return the values of curves on the same clock: at their points, and between them."""
    import numpy as np

    curves = list(group.values())
    if curves[0].follow is not None:
        return [{name: curve.range[end] for name, curve in group.items()} for end in (0, 1)]
    if len(curves) == 1:
        return [{name: limit(curves[0].values)} for name in group for limit in (min, max)]
    scales = [curve.seconds_per_unit or 1.0 for curve in curves]
    times = sorted(
        {
            time * scale
            for curve, scale in zip(curves, scales, strict=True)
            for time, _ in curve.points
        }
    )
    is_linear = all(curve.easing == "linear" and not curve.repeat for curve in curves)
    shares = _CHECKED_SHARES[:1] if is_linear else _CHECKED_SHARES
    between = [
        start + share * (end - start)
        for start, end in itertools.pairwise(times)
        for share in shares
    ]
    moments = np.array([*between, times[-1]])
    columns = [
        curve.at(moments / scale).tolist() for curve, scale in zip(curves, scales, strict=True)
    ]
    rows = dict.fromkeys(zip(*columns, strict=True))
    return [dict(zip(group, row, strict=True)) for row in rows]


def _place(content: dict[str, Any], name: str) -> tuple[Any, Any]:
    """Return the section of a numeric setting, and its key there."""
    section: Any = None
    value: Any = content
    key: Any = None
    parts = name.split(".")
    for number, part in enumerate(parts):
        if value is None:
            null = ".".join(parts[:number])
            raise ValueError(f"'{name}' cannot be a curve, because '{null}' is null; set it, too")
        section, key = value, part
        if isinstance(section, list) and part.isdecimal():
            key = int(part)
        exists = (isinstance(section, dict) and key in section) or (
            isinstance(section, list) and isinstance(key, int) and key < len(section)
        )
        if not exists:
            raise ValueError(f"'{name}' is not a setting of this recipe; check its spelling")
        value = section[key]
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"'{name}' is not a number; only numbers can be curves")
    return section, key


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _or(names: Iterable[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
