"""Power and energy in dB."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

LOWEST_LEVEL_DB = -120.0
"""Quantization noise of 16 bits in one cell of a spectrum; most files have no lower levels."""

# Equal signals have no error at all, and JSON has no infinity.
_MIN_DB = -200.0


def db_to_power(db: float) -> float:
    """Convert dB to power.

    >>> db_to_power(20)
    100.0
    """
    return float(10 ** (db / 10))


def power_to_db(power: FloatArray) -> FloatArray:
    """Convert power above 0 to dB."""
    level: FloatArray = 10.0 * np.log10(power)
    return level


def energy(values: FloatArray) -> float:
    """Return the sum of the squares."""
    return float(np.square(values).sum(dtype=float))


def ratio_db(part: float, whole: float) -> float | None:
    """Return the ratio of two energies in dB, at least −200 dB; None if `whole` is 0.

    >>> ratio_db(1, 100), ratio_db(0, 1), ratio_db(1, 0)
    (-20.0, -200.0, None)
    """
    if not whole:
        return None
    return 10 * math.log10(max(part / whole, db_to_power(_MIN_DB)))
