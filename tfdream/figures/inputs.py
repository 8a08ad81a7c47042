"""What the axes of a network's input mean: seconds, Hz, levels."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tfdream.config import (
    ConstantQFrontendConfig,
    FeatureFrontendConfig,
    FrontendConfig,
    MelFrontendConfig,
    RawFrontendConfig,
)
from tfdream.figures.sheet import ANGLE_MAP, LEVEL_MAP, round_hz


class Step(NamedTuple):
    """From one cell of an input to the next along one axis."""

    size: float
    unit: str

    @property
    def shown(self) -> "Step":
        """In the unit that suits a kernel: milliseconds instead of seconds."""
        return Step(1000 * self.size, "ms") if self.unit == "s" else self

    @property
    def label(self) -> str:
        """Of an axis in this unit."""
        return f"time / {self.unit}" if self.unit in ("s", "ms") else self.unit

    @property
    def cycles(self) -> str:
        """Label of an axis of how fast something changes along this one."""
        return "frequency / Hz" if self.unit == "s" else f"cycles / {self.unit.removesuffix('s')}"


class Channel(NamedTuple):
    """What the values 0 and 1 of an image's channel stand for, and its colors."""

    label: str
    zero: float
    one: float
    colors: str
    open: bool = False
    """Whether there are values above 1."""


@dataclass(frozen=True)
class InputAxes:
    """The axes of what a frontend makes of a waveform.

    Attributes:
      config: of the frontend.
      sample_rate: of the waveform, in Hz.
      samples: of the waveform.
    """

    config: FrontendConfig
    sample_rate: int
    samples: int

    @property
    def seconds(self) -> float:
        """Length of the waveform."""
        return self.samples / self.sample_rate

    def steps(self, shape: tuple[int, ...]) -> tuple[Step, ...]:
        """Along each axis of an input of a shape, without batch and channels."""
        if isinstance(self.config, RawFrontendConfig):
            return (Step(1 / self.sample_rate, "s"),)
        if isinstance(self.config, FeatureFrontendConfig):
            if self.config.kind == "features":
                return (Step(1, "features"),)
            return (Step(self.config.stft.hop_samples / self.sample_rate, "s"),)
        height, width = shape[:2]
        time = Step(self.seconds / width, "s")
        if isinstance(self.config, ConstantQFrontendConfig):
            return Step(self.config.octaves / height, "octaves"), time
        if isinstance(self.config, MelFrontendConfig):
            return Step(self.config.bands / height, "mel bands"), time
        return Step(self.sample_rate / 2000 / height, "kHz"), time

    @property
    def frequencies_hz(self) -> np.ndarray:
        """Of the rows of an image at the frontend's own resolution, ascending."""
        if isinstance(self.config, ConstantQFrontendConfig):
            octave = np.arange(self.config.bands) / self.config.bands_per_octave
            return self.config.min_hz * 2.0**octave
        if isinstance(self.config, MelFrontendConfig):
            from librosa import mel_frequencies

            top_hz = self.config.max_hz or self.sample_rate / 2
            count = self.config.bands + 2
            found: np.ndarray = mel_frequencies(count, fmin=self.config.min_hz, fmax=top_hz)
            return found[1:-1]
        assert not isinstance(self.config, RawFrontendConfig | FeatureFrontendConfig)
        return np.linspace(0, self.sample_rate / 2, self.config.stft.bins)

    @property
    def channels(self) -> list[Channel]:
        """Of an image."""
        assert not isinstance(self.config, RawFrontendConfig | FeatureFrontendConfig)
        kind, top_db = self.config.kind, self.config.top_db
        level = Channel("level / dB", -top_db, 0, LEVEL_MAP)
        phase = Channel("phase / °", -180, 180, ANGLE_MAP)
        if kind == "log1p":
            return [Channel("log(1 + magnitude)", 0, 1, LEVEL_MAP, open=True)]
        return [level] * (kind != "phase") + [phase] * (kind in ("phase", "amplitude_phase"))

    def draw_frequencies(self, axis: Axes) -> None:
        """Ticks in Hz on the vertical axis of an image that reaches from 0 to 1."""
        frequencies = self.frequencies_hz
        by_octaves = isinstance(self.config, ConstantQFrontendConfig | MelFrontendConfig)
        places = (np.arange(len(frequencies)) + 0.5) / len(frequencies)
        if by_octaves:
            ticks = round_hz(frequencies, places)
        else:
            even = np.array(MaxNLocator(5).tick_values(0, frequencies[-1]))
            ticks = even[(even >= 0) & (even <= frequencies[-1])]
        axis.set_yticks(np.interp(ticks, frequencies, places), [f"{tick:g}" for tick in ticks])
        axis.set_ylabel("frequency / Hz")
