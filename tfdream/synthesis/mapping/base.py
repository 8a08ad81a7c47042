"""Interface of the models that give gains, and the analysis of files."""

import abc
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.signal.timbre import Levels, MelAnalysis, is_silent, normalize_power

Style = TypeVar("Style")


class Mapping(NamedTuple):
    """The change of a content.

    Attributes:
      gain_db: gains in dB for the style at full strength, float `[frames, bands]`.
      expected: levels that the content would have in the style, float `[frames, bands]`.
      weights: 1 for frames that sound and 0 for silent ones, float `[frames]`.
      by_frame: whether the style is compared frame by frame, or by the mean levels.
    """

    gain_db: NDArray[Any]
    expected: NDArray[Any]
    weights: NDArray[Any]
    by_frame: bool = False


class GainModel(abc.ABC, Generic[Style]):
    """A property of a style, such as its timbre.

    A style is analyzed once for all contents of the same sample rate.

    Args:
      path: any audio file; all of it is analyzed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._styles: dict[int, Style] = {}

    @cached_property
    def sample_rate(self) -> int:
        """Sample rate of the file in Hz."""
        return audio.info(self.path).sample_rate

    def style(self, analysis: MelAnalysis) -> Style:
        """Return the analyzed style at the sample rate of an analysis.

        Raises:
          AudioError: if the style cannot be read or is silent.
        """
        rate = analysis.sample_rate
        if rate not in self._styles:
            power, _ = read_power(analysis, self.path)
            if is_silent(power):
                raise AudioError(f"style '{self.path}' is silent; use another recording")
            self._styles[rate] = self.analyze(analysis, normalize_power(power))
        return self._styles[rate]

    @abc.abstractmethod
    def analyze(self, analysis: MelAnalysis, levels: Levels) -> Style:
        """Return what `map` needs of a style.

        Args:
          analysis: analysis at the content's sample rate.
          levels: of the style; see `signal.timbre.normalize_power`.
        """

    @abc.abstractmethod
    def map(self, analysis: MelAnalysis, levels: Levels) -> Mapping:
        """Return the change of a content.

        Args:
          analysis: analysis at the content's sample rate.
          levels: of the content; see `signal.timbre.normalize_power`.

        Raises:
          AudioError: if the style cannot be read or is silent.
        """


def read_power(analysis: MelAnalysis, path: Path) -> tuple[NDArray[np.float32], int]:
    """Return the mel power of a file, and its number of samples at the analysis' rate.

    Args:
      analysis: sample rate and bands.
      path: any audio file.

    Raises:
      AudioError: if the file cannot be read.
    """
    with audio.Reader(path) as reader:
        blocks = audio.Counted(reader.mid(analysis.sample_rate))
        power = analysis.stream_to_power(blocks)
    return power, blocks.samples
