"""The band above the frequencies that a network covers.

A network at a lower sample rate than the files does not measure their highest frequencies.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfdream import audio
from tfdream.evaluation.measures import spectra
from tfdream.evaluation.measures.levels import ratio_db


def uncovered_band(measure: str, network_rate: int, files: Mapping[str, Path]) -> dict[str, Any]:
    """Measure the band of files above the frequencies that a measure covers.

    Args:
      measure: name of the measure.
      network_rate: sample rate of its network in Hz.
      files: audio files by name, such as ``before``.

    Returns:
      Empty if no file reaches higher; otherwise `measure` with the suffixes ``_highest_hz``, the
      highest frequency that it covers, and ``_uncovered_db``: name → energy above that frequency
      relative to the energy of the file at its own rate, at least −200 (None: it is silent); notes.
    """
    highest_hz = network_rate / 2
    if all(audio.info(path).sample_rate <= network_rate for path in files.values()):
        return {}
    levels = {name: level_above_db(path, highest_hz) for name, path in files.items()}
    text = ", ".join(
        f"{name} silent" if level is None else f"{name} {level:.1f} dB"
        for name, level in levels.items()
    )
    return {
        f"{measure}_highest_hz": highest_hz,
        f"{measure}_uncovered_db": levels,
        "notes": [
            f"{measure}: the network covers 0 to {highest_hz / 1000:.4g} kHz; energy above, of the "
            f"whole: {text}"
        ],
    }


def level_above_db(path: Path, hz: float) -> float | None:
    """Return the energy of a file above a frequency relative to all of it; None if it is silent."""
    with audio.Reader(path) as reader:
        power = np.zeros(spectra.N_FFT // 2 + 1)
        for frames in spectra.power_spectra(reader.blocks()):
            power += frames.sum(axis=tuple(range(frames.ndim - 1)), dtype=float)
        bin_hz = np.arange(len(power)) * reader.info.sample_rate / spectra.N_FFT
    return ratio_db(float(power[bin_hz > hz].sum()), float(power.sum()))
