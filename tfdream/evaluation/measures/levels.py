"""Power and energy in dB."""

import math

import numpy as np

SILENCE_DB = -120.0
"""The noise of 16 bits in one cell of a spectrum: what lies below cannot be in most files."""

# What is equal has no error at all; JSON has no infinity.
_LEAST_DB = -200.0


def db_to_power(db: float) -> float:
    """A power relative to that of 0 dB."""
    return float(10 ** (db / 10))


def power_to_db(power: np.ndarray) -> np.ndarray:
    """The level of powers above 0."""
    return 10 * np.log10(power)


def energy(values: np.ndarray) -> float:
    """The sum of the squares."""
    return float(np.square(values).sum(dtype=float))


def ratio_db(part: float, whole: float) -> float | None:
    """One energy over another, at least −200 dB; None if the other is 0."""
    if not whole:
        return None
    return 10 * math.log10(max(part / whole, db_to_power(_LEAST_DB)))
