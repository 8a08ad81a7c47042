"""Base class of all settings, and constrained numbers."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST = 1e9
"""Largest magnitude of numbers that have no other limit: as seconds at any sample rate, they are an
exact number of samples."""
_LARGEST_TILE_SECONDS = 3600.0


def _limited(largest: float) -> AfterValidator:
    """Return the check of a limit that is not in the schema, whose limits are those of sliders."""

    def check(value: float) -> float:
        if abs(value) > largest:
            raise ValueError(f"{value:g} is too large; the limit is {largest:.0f}")
        return value

    return AfterValidator(check)


_LIMITED = _limited(LARGEST)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), _LIMITED]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), _LIMITED]
NotPositive = Annotated[float, Field(le=0, allow_inf_nan=False), _LIMITED]
TileSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False), _limited(_LARGEST_TILE_SECONDS)]
"""Length of a tile in seconds: memory for all of it is allocated at once."""
Share = Annotated[float, Field(ge=0, lt=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ClipSeconds = Annotated[float, Field(ge=0.01, le=600)]
"""Length of a clip or of a part of one, in seconds."""
Count = Annotated[int, Field(ge=1)]
SampleRate = Annotated[int, Field(ge=1000, le=192_000)]
"""A sample rate in Hz."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Config(BaseModel):
    """A frozen group of settings; unknown keys are errors."""

    # The text below a field becomes its description in the schema, which `tfdream studio` shows.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    packaged_in: ClassVar[str] = "."
    """Folder of the packaged configurations of this schema, relative to ``configs``."""
