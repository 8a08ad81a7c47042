"""Measures of spectra: distance of levels and magnitudes, noise floor, flatness.

A cell is a bin of one frame; its level is that of a sine in dB relative to full scale.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from tfdream.evaluation.measures.levels import (
    LOWEST_LEVEL_DB,
    FloatArray,
    db_to_power,
    energy,
    power_to_db,
    ratio_db,
)
from tfdream.signal import power as signal_power

N_FFT = 2048
HOP_SAMPLES = 512

_RANGE_DB = 80.0
_FLOOR_DB = 60.0


class _Measure(Protocol):
    """Accumulates one measure over the spectra of two files."""

    def add(self, power: FloatArray) -> None:
        """Add power spectra `[frames, 2, channels, bins]`."""

    def result(self) -> dict[str, float | None]:
        """Return the measures by name."""


class Thresholds(NamedTuple):
    """Thresholds of the measures, relative to the original's loudest cell.

    Attributes:
      loudest: power of that cell.
    """

    loudest: float

    @classmethod
    def from_original(cls, blocks: Iterable[FloatArray]) -> "Thresholds":
        """Compute the thresholds of an original, a stream `[samples, …]`."""
        return cls(max(float(power.max()) for power in power_spectra(blocks)))

    @property
    def lowest(self) -> float:
        """Power that lower powers are raised to."""
        return max(self.loudest * db_to_power(-_RANGE_DB), db_to_power(LOWEST_LEVEL_DB))

    @property
    def highest_of_floor(self) -> float:
        """Cells up to this power are the noise floor."""
        return self.loudest * db_to_power(-_FLOOR_DB)


def power_spectra(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield the power spectra of the measures, see `signal.power.power_spectra`."""
    return signal_power.power_spectra(blocks, N_FFT, HOP_SAMPLES)


def measure(blocks: Iterable[FloatArray], thresholds: Thresholds) -> dict[str, float | None]:
    """Compute the measures from a stream `[samples, 2, channels]`."""
    measures: list[_Measure] = [
        _LevelDistance(thresholds),
        _Convergence(),
        _Floor(thresholds),
        _Flatness(thresholds),
    ]
    for power in power_spectra(blocks):
        for each in measures:
            each.add(power)
    return {name: value for each in measures for name, value in each.result().items()}


class _LevelDistance:
    """Mean over frames of the root mean square difference of the levels."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self.sum, self.spectra = 0.0, 0

    def add(self, power: FloatArray) -> None:
        levels_db = power_to_db(np.maximum(power, self.thresholds.lowest))
        squares = (levels_db[:, 1] - levels_db[:, 0]) ** 2
        self.sum += float(np.sqrt(squares.mean(axis=-1)).sum())
        self.spectra += squares[..., 0].size

    def result(self) -> dict[str, float | None]:
        return {"log_spectral_distance_db": self.sum / self.spectra}


class _Convergence:
    """Energy of the difference of the magnitudes over the original's."""

    def __init__(self) -> None:
        self.error = self.energy = 0.0

    def add(self, power: FloatArray) -> None:
        magnitude = np.sqrt(power)
        self.error += energy(magnitude[:, 1] - magnitude[:, 0])
        self.energy += energy(magnitude[:, 0])

    def result(self) -> dict[str, float | None]:
        return {"spectral_convergence_db": ratio_db(self.error, self.energy)}


class _Floor:
    """Power in the cells where the original is soft."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self.cells = self.floor_cells = 0
        self.powers = np.zeros(2)

    def add(self, power: FloatArray) -> None:
        in_floor = power[:, 0] <= self.thresholds.highest_of_floor
        self.cells += in_floor.size
        self.floor_cells += int(np.count_nonzero(in_floor))
        audible = np.maximum(power, db_to_power(LOWEST_LEVEL_DB))
        self.powers += [audible[:, which][in_floor].sum(dtype=float) for which in (0, 1)]

    def result(self) -> dict[str, float | None]:
        return {
            "floor_rise_db": ratio_db(self.powers[1], self.powers[0]),
            "floor_cells_share": self.floor_cells / self.cells,
        }


class _Flatness:
    """Change of the spectral flatness, over frames that are not silent in either file.

    A frame is silent if all of its cells are in the noise floor or below −120 dB.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        silence = db_to_power(LOWEST_LEVEL_DB)
        self.min_power = np.array([max(thresholds.highest_of_floor, silence), silence])
        self.sum, self.spectra = 0.0, 0

    def add(self, power: FloatArray) -> None:
        audible_frames = (power.max(axis=-1) > self.min_power[:, np.newaxis]).all(axis=1)
        pairs = power.swapaxes(1, 2)[audible_frames]
        audible = np.maximum(pairs, db_to_power(LOWEST_LEVEL_DB))
        flatness_db = power_to_db(audible).mean(axis=-1) - power_to_db(audible.mean(axis=-1))
        self.sum += float((flatness_db[:, 1] - flatness_db[:, 0]).sum())
        self.spectra += len(pairs)

    def result(self) -> dict[str, float | None]:
        return {"flatness_change_db": self.sum / self.spectra if self.spectra else None}
