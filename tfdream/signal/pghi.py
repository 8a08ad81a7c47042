"""Phase from magnitude without iterations: phase gradient heap integration.

For a Gaussian window, the gradient of an STFT's phase follows from the gradient of its log
magnitude; a Hann window is similar to a Gaussian. The integration starts at the loudest cells, so
that errors accumulate in soft cells.
"""

import heapq
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from tfdream.config import StftSpec

Floats = NDArray[Any]
Function = Callable[..., Any]

# γ / n_fft² of the Gaussian exp(−π t² / γ) that is nearest to a Hann window of n_fft samples.
# Source: Průša, Balazs and Søndergaard (see `integrate_phase`).
_HANN_GAMMA = 0.25645


def integrate_phase(
    magnitude: Floats,
    spec: StftSpec,
    seed: int = 0,
    fixed_phase: Floats | None = None,
    tolerance: float = 1e-6,
) -> Floats:
    """Estimate the phase of an STFT from its magnitude, up to a constant.

    Args:
      magnitude: float32 `[batch, frames, bins]`.
      spec: parameters of the transform.
      seed: seed of the random phase of cells below `tolerance`, the same for each clip.
      fixed_phase: phase of the first frames, radians `[batch, frames, bins]`; by default there
        are none. The integration continues from these frames.
      tolerance: threshold as a share of the clip's largest magnitude.

    Returns:
      Radians, −π to π, float32 `[batch, frames, bins]`.

    Source: Průša, Balazs and Søndergaard, "A noniterative method for reconstruction of phase from
    STFT magnitude", algorithm 1.
    """
    if fixed_phase is None:
        fixed_phase = magnitude[:, :0]
    clips = [
        _clip_phase(clip, spec, seed, fixed, tolerance)
        for clip, fixed in zip(magnitude, fixed_phase, strict=True)
    ]
    return np.array(clips, np.float32).reshape(magnitude.shape)


def _clip_phase(
    magnitude: Floats, spec: StftSpec, seed: int, fixed: Floats, tolerance: float
) -> Floats:
    phase = np.random.default_rng(seed).uniform(-math.pi, math.pi, magnitude.shape)
    # The gradients refer to the window's center, TensorFlow's phase to its start.
    offsets = math.pi * np.arange(spec.bins)
    phase[: len(fixed)] = fixed - offsets
    floor = tolerance * magnitude.max(initial=0)
    if floor > 0:
        # A border of cells that are never visited makes bounds checks unnecessary.
        gradients = np.pad(_phase_gradients(magnitude, floor, spec), [(0, 0), (1, 1), (1, 1)])
        bordered, phase = np.pad(magnitude, 1), np.pad(phase, 1)
        order = np.argsort(-bordered, axis=None)[: np.count_nonzero(magnitude > floor)]
        width = bordered.shape[1]
        visited = (1 + len(fixed)) * width if len(fixed) else 0
        _integrate(order, gradients.reshape(2, -1), phase.ravel(), width, visited)
        phase = phase[1:-1, 1:-1]
    phase = phase + offsets
    return np.asarray(phase - 2 * math.pi * np.round(phase / (2 * math.pi)), np.float32)


def _phase_gradients(magnitude: Floats, floor: float, spec: StftSpec) -> Floats:
    """Return radians per frame and per bin at each cell: `[2, frames, bins]`."""
    log_magnitude = np.log(np.maximum(magnitude, floor)).astype(np.float64)
    carrier = 2 * math.pi * spec.hop_samples / spec.n_fft * np.arange(spec.bins)
    # n_fft bins per cycle and hop_samples per frame, divided by γ.
    factor = spec.hop_samples * spec.n_fft / (_HANN_GAMMA * spec.n_fft**2)
    per_frame = carrier + factor * _derivative(log_magnitude, axis=1)
    per_bin = -_derivative(log_magnitude, axis=0) / factor
    return np.stack([per_frame, per_bin])


def _derivative(values: Floats, axis: int) -> Floats:
    """Return central differences; 0 along an axis of length 1."""
    return np.gradient(values, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values)


def _compiled(function: Function) -> Function:
    """Compile a function and cache it on disk; without a writable folder, once per process."""
    try:
        compiled: Function = numba.njit(cache=True)(function)
    except RuntimeError:
        compiled = numba.njit(function)
    return compiled


@_compiled
def _integrate(order: Floats, gradients: Floats, phase: Floats, width: int, visited: int) -> None:
    """Integrate the phase in place, from visited cells and from each loudest cell not yet visited.

    Args:
      order: int64 `[cells to visit]`, indices of cells in descending order of magnitude.
      gradients: float64 `[2, cells]`, radians to the next cell in time and in frequency.
      phase: float64 `[cells]`.
      width: cells from one frame to the next.
      visited: number of first cells whose phase is given.
    """
    # The heap holds ranks in `order`: one integer for magnitude and index; −1 for visited cells.
    rank = np.full(len(phase), -1)
    rank[order] = np.arange(len(order))
    heap = [0]
    heap.pop()
    for cell in range(max(0, visited - width), visited):
        if rank[cell] >= 0:
            heapq.heappush(heap, rank[cell])
    rank[:visited] = -1
    for start in range(-1, len(order)):
        if start >= 0:
            if rank[order[start]] < 0:
                continue
            phase[order[start]] = 0
            rank[order[start]] = -1
            heap.append(start)
        while len(heap) > 0:
            here = order[heapq.heappop(heap)]
            for axis, stride in ((0, width), (1, 1)):
                for sign in (-1, 1):
                    there = here + sign * stride
                    if rank[there] >= 0:
                        step = 0.5 * (gradients[axis, here] + gradients[axis, there])
                        phase[there] = phase[here] + sign * step
                        heapq.heappush(heap, rank[there])
                        rank[there] = -1
