"""Settings of canvases, of phase reconstruction, and of masks."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Config, Fraction, NotNegative, NotPositive, Share
from tfdream.config.frontends import StftSpec
from tfdream.config.registry import Registered


class PhaseConfig(Config):
    """Phase reconstruction of a magnitude: initial phase, and Griffin–Lim iterations."""

    init: Literal["original", "pghi", "random"] = "original"
    """Initial phase: the original's, integrated from the magnitude (PGHI), or random."""
    iterations: Annotated[int, Field(ge=0)] = 32
    """Griffin–Lim iterations; 0 uses the initial phase as it is."""
    momentum: Share = 0.99
    """Momentum of Griffin–Lim: 0 is the original algorithm, 0.99 the fast one."""


class CanvasConfig(Config):
    """Base of all canvas sections.

    The sections themselves are in the modules of `tfdream.synthesis.canvases`, beside their code.
    """

    kind: str
    adds_sound: ClassVar[bool] = True
    """Whether the canvas can start from sound that is unrelated to the original."""

    @property
    def reconstructs_phase(self) -> bool:
        """Whether the phase of a tile is neither the original's nor that of the optimized values.

        The phases of neighboring tiles then are unrelated where these overlap.
        """
        return False


class LevelCanvasConfig(CanvasConfig):
    """Base of the sections of canvases that apply gains in dB, as translations need them."""

    def with_stft(self, stft: StftSpec) -> "LevelCanvasConfig":
        """Return this section for gains on a given STFT.

        Raises:
          ConfigError: if the section sets another STFT.
        """
        return self

    def gain_stft(self, stft: StftSpec) -> StftSpec:
        """Return the STFT whose cells get the gains, by default that of the frontend."""
        return stft


AnyCanvas = Annotated[CanvasConfig, Registered("tfdream.synthesis.canvases")]
"""A field of any canvas."""
AnyLevelCanvas = Annotated[LevelCanvasConfig, Registered("tfdream.synthesis.canvases")]
"""A field of any canvas that applies gains in dB."""

Range = tuple[NotNegative, NotNegative]


class MaskConfig(Config):
    """Limits the change to parts of a recording; by default everything may change."""

    frequency_hz: Range | None = None
    """Change only this range of frequencies."""
    time_seconds: Range | None = None
    """Change only this range of times, counted from the start of the output."""
    protect_above_db: NotPositive | None = None
    """Cells above this level, relative to the tile's loudest, are not changed."""
    protect_below_db: NotPositive | None = None
    """Cells below this level, relative to the tile's loudest, are not changed."""
    strength: Fraction = 1.0
    """Weight of the change where the other limits allow it."""

    @model_validator(mode="after")
    def _leaves_something(self) -> "MaskConfig":
        levels_db = None
        if self.protect_below_db is not None and self.protect_above_db is not None:
            levels_db = self.protect_below_db, self.protect_above_db
        for name, limits in (
            ("frequency_hz", self.frequency_hz),
            ("time_seconds", self.time_seconds),
            ("protect_below_db to protect_above_db", levels_db),
        ):
            if limits is not None and limits[0] >= limits[1]:
                low, high = limits
                raise ValueError(
                    f"{name} from {low:g} to {high:g} leaves nothing to change; "
                    "use a higher second value"
                )
        return self
