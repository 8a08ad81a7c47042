"""The axes of model inputs, by frontend: seconds, Hz, dB."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tfdream.config import FrontendConfig, ImageFrontendConfig, StftImageConfig
from tfdream.figures.parts.sheet import ANGLE_MAP, LEVEL_MAP, round_hz
from tfdream.figures.parts.units import Channel, Spacing


@dataclass(frozen=True)
class InputAxes:
    """The axes of a frontend's output.

    Attributes:
      config: settings of the frontend.
      sample_rate: sample rate of the waveform, in Hz.
      samples: length of the waveform.
    """

    config: FrontendConfig
    sample_rate: int
    samples: int

    @property
    def seconds(self) -> float:
        """Length of the waveform, in seconds."""
        return self.samples / self.sample_rate

    def spacings(self, shape: tuple[int, ...]) -> tuple[Spacing, ...]:
        """Return the spacing along each axis of an input shape, without batch and channels."""
        spacings = self.config.spacings(shape, self.samples, self.sample_rate)
        return tuple(Spacing(*spacing) for spacing in spacings)

    @property
    def frequencies_hz(self) -> NDArray[np.float64]:
        """Frequencies of the image rows at full resolution, ascending."""
        return self._image.frequencies_hz(self.sample_rate)

    @property
    def channels(self) -> list[Channel]:
        """The channels of an input image."""
        by_quantity = {
            "level": self._level,
            "phase": Channel("phase / °", -180, 180, ANGLE_MAP),
            "magnitude": Channel("magnitude", 0, 1, LEVEL_MAP, unbounded=True),
            "log_magnitude": Channel("log(1 + magnitude)", 0, 1, LEVEL_MAP, unbounded=True),
            "log_power": Channel("log10(1 + c · power)", 0, 1, LEVEL_MAP, unbounded=True),
        }
        return [by_quantity[quantity] for quantity in self._image.channels]

    @property
    def _level(self) -> Channel:
        config = self._image
        if isinstance(config, StftImageConfig) and config.level_range == "min_max":
            return Channel("level, minimum to maximum", 0, 1, LEVEL_MAP)
        return Channel("level / dB", -config.top_db, 0, LEVEL_MAP)

    @property
    def _image(self) -> ImageFrontendConfig:
        assert isinstance(self.config, ImageFrontendConfig)
        return self.config

    def draw_frequencies(self, axis: Axes) -> None:
        """Set ticks in Hz on the vertical axis of an image that extends from 0 to 1."""
        frequencies = self.frequencies_hz
        positions = (np.arange(len(frequencies)) + 0.5) / len(frequencies)
        if self._image.logarithmic:
            ticks = round_hz(frequencies, positions)
        else:
            even = np.array(MaxNLocator(5).tick_values(0, frequencies[-1]))
            ticks = even[(even >= 0) & (even <= frequencies[-1])]
        axis.set_yticks(np.interp(ticks, frequencies, positions), [f"{tick:g}" for tick in ticks])
        axis.set_ylabel("frequency / Hz")
