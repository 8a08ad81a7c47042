"""Measures of tiles, and their means over a file."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream.errors import ConfigError
from tfdream.signal.phase import energy_db

Measures = dict[str, NDArray[Any]]
"""Measures by name, one number for each tile."""

REMEDY = "use a smaller optimizer.step_size, or another canvas"
"""Remedy for optimizations that fail: values that are NaN or infinite, or a worse result."""

# Measures that only enter `spectral_convergence_db`.
_ENERGIES = ("error_energy", "target_energy")


class WeightedMeans:
    """Weighted means of measures over all tiles."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.sums: dict[str, float] = {}

    def add(self, measures: Measures, weights: NDArray[Any]) -> None:
        """Add the measures of tiles.

        Raises:
          ConfigError: if one is NaN or infinite.
        """
        self.weight += float(weights.sum())
        for name, values in measures.items():
            if not np.isfinite(values).all():
                raise ConfigError(f"{name} is NaN or infinite; {REMEDY}")
            self.sums[name] = self.sums.get(name, 0.0) + float((values * weights).sum())

    def means(self) -> dict[str, float]:
        """Return the weighted mean of each measure, without the energies."""
        return {
            name: total / self.weight for name, total in self.sums.items() if name not in _ENERGIES
        }

    def convergence_db(self) -> float | None:
        """Return the spectral convergence in dB; None if the view is not a spectrogram."""
        error, target = (self.sums.get(name) for name in _ENERGIES)
        if error is None or target is None:
            return None
        return energy_db(error, target)
