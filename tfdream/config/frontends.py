"""Base sections of frontends: what validation and training need from every frontend.

The sections themselves are in the modules of `tfdream.signal.frontends`, beside their code.
"""

import math
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from tfdream.config.base import Config, Count, Positive
from tfdream.config.registry import Registered


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


class FrontendConfig(Config):
    """Base of all frontend sections."""

    kind: str
    gives_images: ClassVar[bool] = False
    """Whether the output is an image `[frequency, time, channels]`."""

    def values(self, samples: int) -> int:
        """Return the largest number of values that one clip takes while it is computed."""
        return samples


class ImageFrontendConfig(FrontendConfig):
    """Base of the sections of frontends that give images."""

    gives_images: ClassVar[bool] = True
    top_db: Positive = 80.0
    """Dynamic range in dB: levels this far below the clip's maximum, or further, are black."""
    size: tuple[Count, Count] | None = None
    """Height and width that the image is resized to; null leaves it at its full resolution."""

    def cells(self, samples: int) -> int:
        """Return the number of time-frequency cells of a clip at full resolution."""
        raise NotImplementedError

    def values(self, samples: int) -> int:
        return max(math.prod(self.size or ()), self.cells(samples))


class StftImageConfig(ImageFrontendConfig):
    """Base of the sections of frontends whose images are made from an STFT and can be inverted."""

    stft: StftSpec = StftSpec()

    @property
    def shows_levels_only(self) -> bool:
        """Whether the image has one channel: levels in dB, scaled to [0, 1]."""
        return False

    def cells(self, samples: int) -> int:
        return self.stft.bins * self.stft.frames(samples)


AnyFrontend = Annotated[FrontendConfig, Registered("tfdream.signal.frontends")]
"""A field of any frontend."""
AnyStftFrontend = Annotated[StftImageConfig, Registered("tfdream.signal.frontends")]
"""A field of any frontend whose images are made from an STFT."""
