"""Ways of doing the same, timed beside each other."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

_SIDE = 2048


class Cost(NamedTuple):
    """What something costs."""

    what: str
    seconds: float
    """Median of the rounds."""
    reference: str = ""
    """What it is compared with."""
    ratio: float | None = None
    """Its time by that of the reference: the median of the rounds' own ratios."""
    audio_seconds: float | None = None
    """How much sound it works on."""
    share_of_peak: float | None = None
    """Operations per second beside those of a product of matrices, where they can be counted."""


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of each way in each round, after some that only compile and allocate.

    Ways take turns in changing order, so that what else the machine does falls on all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-warm_up, rounds):
        for name in ways if number % 2 else reversed(ways):
            started = time.perf_counter()
            ways[name]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def beside(own: Sequence[float], other: Sequence[float]) -> float:
    """Seconds by those of another way: the median of the rounds' own ratios."""
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
    """The cost of `own`, beside that of `other`.

    Args:
      what, reference: what the two are called.
      own, other: do it once.
      rounds, warm_up: that are counted, and that are not.
      audio_seconds: how much sound it works on.
      operations: floating-point ones of `own`, where they can be counted.
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
    """Multiply square matrices: as many operations in a second as this machine can do."""
    import tensorflow as tf

    matrix = tf.random.stateless_uniform([_SIDE, _SIDE], [0, 0])
    return lambda: tf.linalg.matmul(matrix, matrix).numpy()
