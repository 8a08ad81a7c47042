"""Settings of the filters that a result passes through before it is written."""

from typing import Annotated

from pydantic import Field, model_validator

from tfdream.config.base import Config, NotNegative, NotPositive

Hertz = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class FilterConfig(Config):
    """Filters of the written audio; by default none.

    >>> FilterConfig(low_hz=40, high_hz=8000).gate_db is None
    True
    """

    low_hz: Hertz | None = None
    """Attenuate what is below this frequency: −6 dB there, −57 dB and less below half of it."""
    high_hz: Hertz | None = None
    """Attenuate what is above this frequency: −6 dB there, −53 dB and less from 1.125 times it."""
    gate_db: NotPositive | None = None
    """Attenuate parts of the spectrum below this level, in dB relative to a sine of full scale, by
    twice their distance from it."""
    gate_reduction_db: NotNegative = 24.0
    """Largest attenuation by the gate."""

    @model_validator(mode="after")
    def _passes_something(self) -> "FilterConfig":
        if self.low_hz is not None and self.high_hz is not None and self.low_hz >= self.high_hz:
            raise ValueError(
                f"the filter from {self.low_hz:g} to {self.high_hz:g} Hz passes nothing; use a "
                "higher high_hz"
            )
        return self
