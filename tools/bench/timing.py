"""Ways of doing the same, timed beside each other."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


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
    operations: float | None = None
    """Floating-point operations, as far as they can be counted."""


def interleaved(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one that only compiles.

    Ways take turns in changing order, so that what else the machine does falls on all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in ways if number % 2 else reversed(ways):
            started = time.perf_counter()
            ways[name]()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def compare(
    what: str,
    own: Callable[[], object],
    reference: str,
    other: Callable[[], object],
    rounds: int = 7,
    audio_seconds: float | None = None,
    operations: float | None = None,
) -> Cost:
    """The cost of `own`, beside that of `other`."""
    times = interleaved({"own": own, "other": other}, rounds)
    ratio = statistics.median(a / b for a, b in zip(times["own"], times["other"], strict=True))
    seconds = statistics.median(times["own"])
    return Cost(what, seconds, reference, ratio, audio_seconds, operations)
