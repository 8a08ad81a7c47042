"""Phase from magnitude without iterations: phase gradient heap integration.

For a Gaussian window the gradient of an STFT's phase follows from that of its log magnitude; a
Hann window is near enough to one. Integrated from the loudest cells outwards, the errors end up
where they are soft.
"""

import heapq
import math
from collections.abc import Callable

import numba
import numpy as np

from tfdream.config import StftSpec

# The Gaussian exp(−π t² / γ) nearest to a Hann window of n_fft samples has this γ / n_fft².
# Source: Průša, Balazs and Søndergaard (see `integrate_phase`).
_HANN_GAMMA = 0.25645


def integrate_phase(
    magnitude: np.ndarray,
    spec: StftSpec,
    seed: int = 0,
    known: np.ndarray | None = None,
    tolerance: float = 1e-6,
) -> np.ndarray:
    """A phase that goes with the magnitude of an STFT, up to a constant.

    Args:
      magnitude: float32 `[batch, frames, bins]`.
      spec: the transform.
      seed: of the random phase of what is softer than `tolerance`, the same for every clip.
      known: the phase of the first frames, if it is known: radians `[batch, frames, bins]`, of
        fewer frames. The rest goes on from there.
      tolerance: a share of the clip's largest magnitude.

    Returns:
      Radians, −π to π, float32 `[batch, frames, bins]`.

    Source: Průša, Balazs and Søndergaard, "A noniterative method for reconstruction of phase from
    STFT magnitude", algorithm 1.
    """
    if known is None:
        known = magnitude[:, :0]
    clips = [
        _integrate_clip(clip, spec, seed, own, tolerance)
        for clip, own in zip(magnitude, known, strict=True)
    ]
    return np.array(clips, np.float32).reshape(magnitude.shape)


def _integrate_clip(
    magnitude: np.ndarray, spec: StftSpec, seed: int, known: np.ndarray, tolerance: float
) -> np.ndarray:
    phase = np.random.default_rng(seed).uniform(-math.pi, math.pi, magnitude.shape)
    # The steps refer to the window's center, TensorFlow's phase to its start.
    turns = math.pi * np.arange(spec.bins)
    phase[: len(known)] = known - turns
    floor = tolerance * magnitude.max(initial=0)
    if floor > 0:
        # A border that is never reached spares the question whether a neighbor exists.
        steps = np.pad(_phase_steps(magnitude, floor, spec), [(0, 0), (1, 1), (1, 1)])
        bordered, phase = np.pad(magnitude, 1), np.pad(phase, 1)
        order = np.argsort(-bordered, axis=None)[: np.count_nonzero(magnitude > floor)]
        width = bordered.shape[1]
        reached = (1 + len(known)) * width if len(known) else 0
        _spread(order, steps.reshape(2, -1), phase.ravel(), width, reached)
        phase = phase[1:-1, 1:-1]
    phase = phase + turns
    return (phase - 2 * math.pi * np.round(phase / (2 * math.pi))).astype(np.float32)


def _phase_steps(magnitude: np.ndarray, floor: float, spec: StftSpec) -> np.ndarray:
    """Radians per frame and per bin at each cell of `[frames, bins]`: `[2, frames, bins]`."""
    log_magnitude = np.log(np.maximum(magnitude, floor)).astype(np.float64)
    carrier = 2 * math.pi * spec.hop_samples / spec.n_fft * np.arange(spec.bins)
    # n_fft bins per cycle and hop_samples per frame, over γ.
    stretch = spec.hop_samples * spec.n_fft / (_HANN_GAMMA * spec.n_fft**2)
    per_frame = carrier + stretch * _slope(log_magnitude, axis=1)
    per_bin = -_slope(log_magnitude, axis=0) / stretch
    return np.stack([per_frame, per_bin])


def _slope(values: np.ndarray, axis: int) -> np.ndarray:
    """Central differences; a single frame has none."""
    return np.gradient(values, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values)


def _compiled(function: Callable) -> Callable:
    """Compiled once per machine or, where no folder can be written, once per process."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


@_compiled
def _spread(
    order: np.ndarray, steps: np.ndarray, phase: np.ndarray, width: int, reached: int
) -> None:
    """Integrate in place, from what is known and each loudest cell that no louder one has reached.

    Args:
      order: int64 `[reached]`, indices of the cells to reach, the loudest first.
      steps: float64 `[2, cells]`, radians to the next cell in time and in frequency.
      phase: float64 `[cells]`.
      width: cells from one frame to the next.
      reached: so many cells, the first ones, have their phase already.
    """
    # A cell waits by its rank: one integer for how loud it is and which it is; −1 once reached.
    rank = np.full(len(phase), -1)
    rank[order] = np.arange(len(order))
    waiting = [0]
    waiting.pop()
    for cell in range(max(0, reached - width), reached):
        if rank[cell] >= 0:
            heapq.heappush(waiting, rank[cell])
    rank[:reached] = -1
    for start in range(-1, len(order)):
        if start >= 0:
            if rank[order[start]] < 0:
                continue
            phase[order[start]] = 0
            rank[order[start]] = -1
            waiting.append(start)
        while len(waiting) > 0:
            here = order[heapq.heappop(waiting)]
            for axis, stride in ((0, width), (1, 1)):
                for sign in (-1, 1):
                    there = here + sign * stride
                    if rank[there] >= 0:
                        step = 0.5 * (steps[axis, here] + steps[axis, there])
                        phase[there] = phase[here] + sign * step
                        heapq.heappush(waiting, rank[there])
                        rank[there] = -1
