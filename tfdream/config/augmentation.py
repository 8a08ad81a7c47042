"""Settings of augmentation: how training varies at random what the network hears.

`datasets.augment` has a function for each kind, of the same name.
"""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from tfdream.config.base import Config, Count, Positive, Share

_Part = Annotated[float, Field(gt=0, le=1)]
_AtLeastOne = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class GainConfig(Config):
    """A level changed by up to `db`, either way."""

    kind: Literal["gain"]
    db: Positive = 6.0


class TimeShiftConfig(Config):
    """A circular shift by up to `seconds`, either way."""

    kind: Literal["time_shift"]
    seconds: Positive | None = None
    """The whole clip without."""


class NoiseConfig(Config):
    """White noise, so many dB below the clip's own power; silence stays silence."""

    kind: Literal["noise"]
    min_snr_db: FiniteFloat = 20.0
    max_snr_db: FiniteFloat = 60.0

    @model_validator(mode="after")
    def _range_ascends(self) -> "NoiseConfig":
        _check_range("min_snr_db", self.min_snr_db, "max_snr_db", self.max_snr_db)
        return self


class SpeedConfig(Config):
    """Tape played faster or slower: pitch and tempo change together, the length stays."""

    kind: Literal["speed"]
    min_factor: Positive = 0.9
    max_factor: Positive = 1.1

    @model_validator(mode="after")
    def _range_ascends(self) -> "SpeedConfig":
        _check_range("min_factor", self.min_factor, "max_factor", self.max_factor)
        return self


class FilterConfig(Config):
    """Another room and microphone: a tilt of the spectrum and a short random reverberation."""

    kind: Literal["filter"]
    deviation: Positive = 0.3
    """Of the first tap after the sound itself; each has seven tenths of the one before."""
    taps: Count = 5
    emphasis: Annotated[Share, Field(gt=0)] = 0.9
    """How far highs may be raised; lows at most half as far."""


class RollConfig(Config):
    """A circular shift of the image along time."""

    kind: Literal["roll"]
    share: _Part = 1.0
    """Of the width, either way."""


class TimeMaskConfig(Config):
    """Stretches of time made black (SpecAugment)."""

    kind: Literal["time_mask"]
    width: Annotated[Share, Field(gt=0)] = 0.2
    """Of one mask: at most this share of the time axis."""
    count: Count = 1
    fill: Literal["black", "mean"] = "black"
    """What stands there instead: nothing, or the image's mean, which standardized is nothing."""


class FrequencyMaskConfig(Config):
    """Bands of frequency made black (SpecAugment)."""

    kind: Literal["frequency_mask"]
    width: Annotated[Share, Field(gt=0)] = 0.2
    """Of one mask: at most this share of the frequency axis."""
    count: Count = 1
    fill: Literal["black", "mean"] = "black"
    """As of time_mask."""


class MixupConfig(Config):
    """Each example blended with another of its batch, and its label alike."""

    kind: Literal["mixup"]
    alpha: Positive = 0.2
    """Of the weight's distribution Beta(alpha, alpha): below 1, one of the two prevails."""


class BrightnessConfig(Config):
    """An image brighter or darker by up to `level`, its black included."""

    kind: Literal["brightness"]
    level: Positive = 0.1


class FrequencyShiftConfig(Config):
    """An image moved up or down by up to so many rows; its border is repeated."""

    kind: Literal["frequency_shift"]
    bands: Count = 2


class EqualizerConfig(Config):
    """Bands raised and lowered along a random curve, as by another room or microphone."""

    kind: Literal["equalizer"]
    deviation: Positive = 0.05
    """Of the curve at its knots, in the image's unit; black stays black."""
    knots: Annotated[int, Field(ge=2)] = 5
    """Spread evenly over the frequency axis, and joined by straight lines."""


class InputNoiseConfig(Config):
    """Gaussian noise added to the input, of a deviation drawn evenly up to `deviation`."""

    kind: Literal["input_noise"]
    deviation: Positive = 0.02


class StretchConfig(Config):
    """An image stretched or shrunk about a random point, to up to so many times its length."""

    kind: Literal["stretch"]
    time_factor: _AtLeastOne = 1.1
    frequency_factor: _AtLeastOne = 1.0

    @model_validator(mode="after")
    def _stretches(self) -> "StretchConfig":
        if self.time_factor == self.frequency_factor == 1:
            raise ValueError(
                "time_factor=1 and frequency_factor=1 change nothing; set one above 1, such as 1.1"
            )
        return self


WaveformAugmentationConfig = GainConfig | TimeShiftConfig | NoiseConfig | SpeedConfig | FilterConfig
"""What changes samples, before the frontend."""

ImageAugmentationConfig = (
    RollConfig
    | TimeMaskConfig
    | FrequencyMaskConfig
    | FrequencyShiftConfig
    | EqualizerConfig
    | BrightnessConfig
    | StretchConfig
)
"""What changes a frontend's images, and nothing else that a frontend may give."""

InputAugmentationConfig = ImageAugmentationConfig | MixupConfig | InputNoiseConfig
"""What changes a frontend's output."""

AugmentationConfig = Annotated[
    WaveformAugmentationConfig | InputAugmentationConfig, Field(discriminator="kind")
]


def _check_range(low_name: str, low: float, high_name: str, high: float) -> None:
    if low > high:
        raise ValueError(f"{low_name}={low:g} is above {high_name}={high:g}; exchange them")
