"""Settings of what is optimized when audio is changed, and of which parts of it may change."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Config, NotNegative, Positive, Share
from tfdream.config.frontends import StftSpec

Below = Annotated[float, Field(le=0, allow_inf_nan=False)]
"""dB below the loudest cell."""


class PhaseConfig(Config):
    """The phase of a magnitude: where it starts, and how often Griffin–Lim mends it from there."""

    init: Literal["original", "pghi", "random"] = "original"
    """The original's, integrated from the magnitude (phase gradient heap integration), or none."""
    iterations: Annotated[int, Field(ge=0)] = 32
    """Of Griffin–Lim; with 0 the start is the phase."""
    momentum: Share = 0.99
    """Of Griffin–Lim: 0 for the plain algorithm, 0.99 for the fast one."""


class StftGainsConfig(Config):
    """What canvases with gains on the original's STFT have."""

    kind: str
    bound_db: Positive = 8.0
    """No cell gets louder or softer than this: the strength of the change."""
    blur_seconds: NotNegative = 0.0
    """Standard deviation of a blur of the gains in time: rough gains spill into silent cells."""
    blur_hz: NotNegative = 0.0
    """And in frequency."""
    boost_above_db: Below | None = None
    """Cells softer than this, below the tile's loudest, get softer at most: no hiss comes up."""
    stft: StftSpec = StftSpec()


class GainCanvasConfig(StftGainsConfig):
    """Bounded gains on the original's STFT."""

    kind: Literal["gains"]


class MixtureCanvasConfig(StftGainsConfig):
    """Bounded gains on the original's STFT, and new sound within limits that follow its level."""

    kind: Literal["mixture"]
    added_db: Annotated[float, Field(le=20, allow_inf_nan=False)] = -20.0
    """The most that is added to a cell, relative to the loudest cell of its neighborhood."""
    neighborhood_seconds: NotNegative = 0.05
    """How far the neighborhood of a cell reaches in time, to either side."""
    neighborhood_hz: NotNegative = 100.0
    """How far it reaches in frequency."""


class WaveformCanvasConfig(Config):
    """The samples themselves."""

    kind: Literal["waveform"]
    bound: Positive | None = None
    """The largest absolute sample; 1 is full scale, without a bound if null."""


class LogMagnitudeCanvasConfig(Config):
    """The STFT's log magnitude, rendered with a phase found afterwards."""

    kind: Literal["log_magnitude"]
    headroom_db: float | None = 0.0
    """How far levels may rise above the loudest of the original; without a bound if null."""
    phase: PhaseConfig = PhaseConfig()


class PhaseCanvasConfig(Config):
    """The STFT's phase; the magnitude stays the original's."""

    kind: Literal["phase"]


class LogMagnitudePhaseCanvasConfig(Config):
    """The STFT's log magnitude and its phase, both."""

    kind: Literal["log_magnitude_phase"]
    headroom_db: float | None = 0.0
    """How far levels may rise above the loudest of the original; without a bound if null."""


CanvasConfig = Annotated[
    GainCanvasConfig
    | MixtureCanvasConfig
    | WaveformCanvasConfig
    | LogMagnitudeCanvasConfig
    | PhaseCanvasConfig
    | LogMagnitudePhaseCanvasConfig,
    Field(discriminator="kind"),
]

Range = tuple[NotNegative, NotNegative]
Point = tuple[NotNegative, Annotated[float, Field(ge=0, le=1)]]


class MaskConfig(Config):
    """Which parts of a recording change, and how much; everything, unless it is limited here."""

    frequency_hz: Range | None = None
    """Only from the first to the second of these frequencies."""
    time_seconds: Range | None = None
    """Only from the first to the second of these times."""
    protect_above_db: Below | None = None
    """Cells louder than this, below the tile's loudest, stay as they are."""
    protect_below_db: Below | None = None
    """Cells softer than this, below the tile's loudest, stay as they are."""
    strength: tuple[Point, ...] = ()
    """Times in seconds and the strength there, 0 to 1; in between it is interpolated."""

    @model_validator(mode="after")
    def _leaves_something(self) -> "MaskConfig":
        levels_db = None
        if self.protect_below_db is not None and self.protect_above_db is not None:
            levels_db = self.protect_below_db, self.protect_above_db
        for name, limits in (
            ("frequency_hz", self.frequency_hz),
            ("time_seconds", self.time_seconds),
            ("the spared levels", levels_db),
        ):
            if limits is not None and limits[0] >= limits[1]:
                low, high = limits
                raise ValueError(f"{name} from {low:g} to {high:g} leaves nothing to change")
        times = [time for time, _ in self.strength]
        if times != sorted(times):
            raise ValueError("the times of strength do not rise; put them in order")
        return self
