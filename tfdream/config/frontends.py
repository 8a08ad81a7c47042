"""Base sections of frontends: what validation and training need from every frontend.

The sections themselves are in the modules of `tfdream.signal.frontends`, beside their code.
"""

import abc
import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Config, Count, Positive
from tfdream.config.registry import Registered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Quantity = Literal["level", "phase", "magnitude", "log_magnitude", "log_power"]
"""Quantity of an image channel: level in dB from -top_db to 0, phase from −π to π, both scaled to
[0, 1], the magnitude, log(1 + magnitude), or log10(1 + compression · power)."""
Spacing = tuple[float, str]
"""Distance of neighboring values along an axis, and its unit."""


class StftSpec(Config):
    """A centered short-time Fourier transform with a periodic Hann window of `n_fft` samples.

    >>> spec = StftSpec(n_fft=1260, hop_samples=175)
    >>> spec.bins, spec.frames(samples=5 * 22050)
    (631, 631)
    """

    n_fft: Annotated[int, Field(ge=16, le=65536, multiple_of=2)] = 2048
    hop_samples: Count = 512

    @model_validator(mode="after")
    def _hop_fits(self) -> "StftSpec":
        if self.hop_samples > self.n_fft // 2:
            raise ValueError(
                f"hop_samples={self.hop_samples} is longer than n_fft/2={self.n_fft // 2}, "
                "which no inverse can undo; use a quarter of n_fft"
            )
        return self

    @property
    def bins(self) -> int:
        """Number of frequency bins from 0 Hz to half the sample rate."""
        return self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """Number of frames of a signal; the first one is centered on the first sample."""
        return 1 + samples // self.hop_samples

    def extent(self, seconds: float, hertz: float, sample_rate: int) -> tuple[float, float]:
        """Convert an extent in time and in frequency to numbers of frames and bins.

        >>> StftSpec(n_fft=2048, hop_samples=512).extent(0.1, 100, sample_rate=20480)
        (4.0, 10.0)
        """
        return seconds * sample_rate / self.hop_samples, hertz * self.n_fft / sample_rate


class FrontendConfig(Config):
    """Base of all frontend sections."""

    kind: str
    gives_images: ClassVar[bool] = False
    """Whether the output is an image `[frequency, time, channels]`."""

    def values(self, samples: int) -> int:
        """Return the largest number of values that one clip takes while it is computed."""
        return samples

    def spacings(
        self, shape: tuple[int, ...], samples: int, sample_rate: int
    ) -> tuple[Spacing, ...]:
        """Return the spacing along each axis of an output, without batch and channels.

        Args:
          shape: shape of the output.
          samples: length of the waveform.
          sample_rate: sample rate of the waveform, in Hz.
        """
        return ((1 / sample_rate, "s"),)


class ImageFrontendConfig(FrontendConfig):
    """Base of the sections of frontends that give images."""

    gives_images: ClassVar[bool] = True
    top_db: Positive = 80.0
    """Dynamic range in dB: levels this far below the clip's maximum, or further, are black."""
    size: tuple[Count, Count] | None = None
    """Height and width that the image is resized to; null leaves it at its full resolution."""

    logarithmic: ClassVar[bool] = False
    """Whether the frequency axis is approximately logarithmic."""

    @property
    def channels(self) -> tuple[Quantity, ...]:
        """Quantity that each channel shows."""
        return ("level",)

    def check_levels(self, user: str) -> None:
        """Check that the images show levels in dB alone, of which 0 and 1 are `top_db` apart.

        Args:
          user: name of what needs such images.

        Raises:
          ValueError: if they do not.
        """
        if self.channels != ("level",):
            raise ValueError(
                f"frontend.kind={self.kind} does not give levels in [0, 1] alone, which {user} "
                "needs; use amplitude or mel"
            )

    @abc.abstractmethod
    def cells(self, samples: int) -> int:
        """Return the number of time-frequency cells of a clip at full resolution."""

    @abc.abstractmethod
    def frequencies_hz(self, sample_rate: int) -> "NDArray[np.float64]":
        """Return the frequencies of the rows at full resolution, ascending."""

    @abc.abstractmethod
    def row_spacing(self, rows: int, sample_rate: int) -> Spacing:
        """Return the spacing of the rows of an image with a number of rows."""

    def spacings(
        self, shape: tuple[int, ...], samples: int, sample_rate: int
    ) -> tuple[Spacing, ...]:
        rows, columns = shape[:2]
        return self.row_spacing(rows, sample_rate), (samples / sample_rate / columns, "s")

    def values(self, samples: int) -> int:
        return max(math.prod(self.size or ()), self.cells(samples))


class StftImageConfig(ImageFrontendConfig):
    """Base of the sections of frontends whose images are made from an STFT and can be inverted."""

    stft: StftSpec = StftSpec()
    level_range: Literal["top_db", "min_max"] = "top_db"
    """Levels that the image shows as 0 and 1: `top_db` below the clip's maximum and the maximum; or
    the clip's own minimum and maximum."""

    @model_validator(mode="after")
    def _range_fits(self) -> "StftImageConfig":
        if self.level_range != "top_db" and "level" not in self.channels:
            raise ValueError(
                f"level_range={self.level_range} needs an image of levels in dB; use "
                "kind=amplitude, amplitude_phase or mel, or remove it"
            )
        return self

    def check_levels(self, user: str) -> None:
        super().check_levels(user)
        if self.level_range != "top_db":
            raise ValueError(
                f"frontend.level_range={self.level_range} depends on each clip, but {user} needs "
                "levels in dB on one scale; use top_db"
            )

    def cells(self, samples: int) -> int:
        return self.stft.bins * self.stft.frames(samples)

    def frequencies_hz(self, sample_rate: int) -> "NDArray[np.float64]":
        import numpy as np

        return np.linspace(0, sample_rate / 2, self.stft.bins)

    def row_spacing(self, rows: int, sample_rate: int) -> Spacing:
        return sample_rate / 2000 / rows, "kHz"


AnyFrontend = Annotated[FrontendConfig, Registered("tfdream.signal.frontends")]
"""A field of any frontend."""
AnyStftFrontend = Annotated[StftImageConfig, Registered("tfdream.signal.frontends")]
"""A field of any frontend whose images are made from an STFT."""
