"""Timing of alternatives that run alternately."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

_SIDE = 2048
_LEAST_SECONDS = 0.1
"""Shorter operations are repeated: threads of the other library may still wait for work."""


class Cost(NamedTuple):
    """The measured cost of an operation."""

    what: str
    seconds: float
    """Median over the rounds."""
    reference: str = ""
    """Name of the reference."""
    ratio: float | None = None
    """Time relative to the reference: the median of the ratios per round."""
    audio_seconds: float | None = None
    """Duration of the processed audio."""
    share_of_peak: float | None = None
    """Operations per second relative to a matrix product, if they can be counted."""


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Return the seconds of each function in each round, after warm-up rounds that are not counted.

    The functions alternate in changing order, so that other load affects all of them. In each
    round, a function is repeated for at least a tenth of a second.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-warm_up, rounds):
        for name in ways if number % 2 else reversed(ways):
            elapsed = _measure(ways[name])
            if number >= 0:
                seconds[name].append(elapsed)
    return seconds


def _measure(function: Callable[[], object]) -> float:
    """Return the mean seconds of a call."""
    started, calls = time.perf_counter(), 0
    while True:
        function()
        calls += 1
        elapsed = time.perf_counter() - started
        if elapsed >= _LEAST_SECONDS:
            return elapsed / calls


def beside(own: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of the ratios per round."""
    return statistics.median(one / two for one, two in zip(own, other, strict=True))


def compare(
    what: str,
    own: Callable[[], object],
    reference: str,
    other: Callable[[], object],
    rounds: int = 7,
    warm_up: int = 1,
    audio_seconds: float | None = None,
    operations: float | None = None,
) -> Cost:
    """Measure the cost of `own` relative to `other`.

    Args:
      what: name of `own`.
      reference: name of `other`.
      own: runs the operation once.
      other: runs the reference once.
      rounds: number of measured rounds.
      warm_up: number of rounds before them.
      audio_seconds: duration of the processed audio.
      operations: floating-point operations of `own`, if they can be counted.
    """
    ways = {"own": own, "other": other}
    if operations:
        ways["product"] = _product()
    times = interleaved(ways, rounds, warm_up)
    share = None
    if operations:
        share = operations / (2 * _SIDE**3) / beside(times["own"], times["product"])
    seconds = statistics.median(times["own"])
    ratio = beside(times["own"], times["other"])
    return Cost(what, seconds, reference, ratio, audio_seconds, share)


def _product() -> Callable[[], object]:
    """Return a product of square matrices, which runs close to the peak of the machine."""
    import tensorflow as tf

    matrix = tf.random.stateless_uniform([_SIDE, _SIDE], [0, 0])
    return lambda: tf.linalg.matmul(matrix, matrix).numpy()
