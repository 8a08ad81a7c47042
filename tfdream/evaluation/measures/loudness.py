"""Integrated loudness of programmes, as defined for broadcasting.

Source: ITU-R BS.1770-4.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import sosfilt

from tfdream import audio
from tfdream.evaluation.measures.levels import FloatArray, db_to_power

SAMPLE_RATE = 48000
"""The sample rate that the standard specifies its filters for."""

_STEP_SAMPLES = 4800  # a quarter of the 0.4 s over which loudness is measured
_K_WEIGHTING = audio.k_weighting(SAMPLE_RATE)
_OFFSET_DB = -0.691
_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0


def integrated_lufs(blocks: Iterable[FloatArray]) -> list[float | None]:
    """Compute the integrated loudness of several signals, with equal weights of all channels.

    Args:
      blocks: stream float32 `[samples, signals, channels]` at `SAMPLE_RATE`.

    Returns:
      One value in LUFS for each signal; None if it is shorter than 0.4 s or below −70 LUFS.
    """
    state: FloatArray | None = None
    steps: list[FloatArray] = []
    for block in audio.rechunk(blocks, 16 * _STEP_SAMPLES):
        if state is None:
            state = np.zeros((len(_K_WEIGHTING), 2, *block.shape[1:]))
        weighted, state = sosfilt(_K_WEIGHTING, block, axis=0, zi=state)
        whole = weighted[: len(weighted) - len(weighted) % _STEP_SAMPLES]
        parts = whole.reshape(-1, _STEP_SAMPLES, *block.shape[1:])
        steps.append((parts**2).mean(axis=1).sum(axis=-1))
    if not steps:  # a single sample may be resampled to none
        return []
    return [_gated_lufs(powers) for powers in np.concatenate(steps).T]


def _gated_lufs(powers: FloatArray) -> float | None:
    """Integrate the K-weighted powers of steps of 0.1 s, `[steps]`.

    Source: annex 1: windows of 0.4 s count above −70 LUFS, and then above 10 LU below the loudness
    of those.
    """
    if len(powers) < 4:
        return None
    windows = sliding_window_view(powers, 4).mean(axis=-1)
    gated = windows[windows > db_to_power(_GATE_LUFS - _OFFSET_DB)]
    if not len(gated):
        return None
    gated = gated[gated > gated.mean() * db_to_power(_RELATIVE_GATE_LU)]
    return _OFFSET_DB + 10 * math.log10(gated.mean())
