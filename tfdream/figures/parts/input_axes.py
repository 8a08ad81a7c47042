"""The axes of model inputs, by frontend: seconds, Hz, dB."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tfdream.config import FrontendConfig
from tfdream.figures.parts.sheet import ANGLE_MAP, LEVEL_MAP, round_hz
from tfdream.figures.parts.units import Channel, Spacing
from tfdream.signal.frontends.constant_q import ConstantQFrontendConfig
from tfdream.signal.frontends.features import FeatureFrontendConfig
from tfdream.signal.frontends.mel import MelFrontendConfig
from tfdream.signal.frontends.raw import RawFrontendConfig


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
        if isinstance(self.config, RawFrontendConfig):
            return (Spacing(1 / self.sample_rate, "s"),)
        if isinstance(self.config, FeatureFrontendConfig):
            if self.config.kind == "features":
                return (Spacing(1, "features"),)
            return (Spacing(self.config.stft.hop_samples / self.sample_rate, "s"),)
        height, width = shape[:2]
        time = Spacing(self.seconds / width, "s")
        if isinstance(self.config, ConstantQFrontendConfig):
            return Spacing(self.config.octaves / height, "octaves"), time
        if isinstance(self.config, MelFrontendConfig):
            return Spacing(self.config.bands / height, "mel bands"), time
        return Spacing(self.sample_rate / 2000 / height, "kHz"), time

    @property
    def frequencies_hz(self) -> np.ndarray:
        """Frequencies of the image rows at the STFT's resolution, ascending."""
        if isinstance(self.config, ConstantQFrontendConfig):
            octave = np.arange(self.config.bands) / self.config.bands_per_octave
            return self.config.min_hz * 2.0**octave
        if isinstance(self.config, MelFrontendConfig):
            from librosa import mel_frequencies

            top_hz = self.config.max_hz or self.sample_rate / 2
            count = self.config.bands + 2
            centers_hz: np.ndarray = mel_frequencies(count, fmin=self.config.min_hz, fmax=top_hz)
            return centers_hz[1:-1]
        assert not isinstance(self.config, RawFrontendConfig | FeatureFrontendConfig)
        return np.linspace(0, self.sample_rate / 2, self.config.stft.bins)

    @property
    def channels(self) -> list[Channel]:
        """The channels of an input image."""
        assert not isinstance(self.config, RawFrontendConfig | FeatureFrontendConfig)
        kind, top_db = self.config.kind, self.config.top_db
        level = Channel("level / dB", -top_db, 0, LEVEL_MAP)
        phase = Channel("phase / °", -180, 180, ANGLE_MAP)
        if kind == "log1p":
            return [Channel("log(1 + magnitude)", 0, 1, LEVEL_MAP, unbounded=True)]
        return [level] * (kind != "phase") + [phase] * (kind in ("phase", "amplitude_phase"))

    def draw_frequencies(self, axis: Axes) -> None:
        """Set ticks in Hz on the vertical axis of an image that extends from 0 to 1."""
        frequencies = self.frequencies_hz
        logarithmic = isinstance(self.config, ConstantQFrontendConfig | MelFrontendConfig)
        positions = (np.arange(len(frequencies)) + 0.5) / len(frequencies)
        if logarithmic:
            ticks = round_hz(frequencies, positions)
        else:
            even = np.array(MaxNLocator(5).tick_values(0, frequencies[-1]))
            ticks = even[(even >= 0) & (even <= frequencies[-1])]
        axis.set_yticks(np.interp(ticks, frequencies, positions), [f"{tick:g}" for tick in ticks])
        axis.set_ylabel("frequency / Hz")
