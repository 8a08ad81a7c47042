"""Streams of samples: blocks float32 `[samples, channels]`, one after the other."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from scipy.ndimage import minimum_filter1d

CEILING = 0.999
"""The largest absolute sample that is written: some formats round up."""


def mid(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The mean of the channels of each block: `[samples, channels]` → `[samples, 1]`."""
    for block in blocks:
        yield block.mean(axis=1, keepdims=True)


def resample(
    blocks: Iterable[np.ndarray], source_rate: int, target_rate: int
) -> Iterator[np.ndarray]:
    """Resample a stream of blocks `[samples, channels]`, aligned in time (soxr, high quality)."""
    stream = None
    for block in blocks:
        if source_rate == target_rate:
            yield block
            continue
        if stream is None:
            stream = soxr.ResampleStream(source_rate, target_rate, block.shape[1], dtype="float32")
            empty = block[:0]
        resampled = stream.resample_chunk(np.ascontiguousarray(block))
        if len(resampled):
            yield resampled
    if stream is not None:
        rest = stream.resample_chunk(empty, last=True)
        if len(rest):
            yield rest


def rechunk(blocks: Iterable[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Join and cut blocks so that each has `samples` samples, but for a shorter last one."""
    waiting: list[np.ndarray] = []
    held = 0
    for block in blocks:
        waiting.append(block)
        held += len(block)
        if held < samples:
            continue
        joined = np.concatenate(waiting)
        whole = held - held % samples
        for start in range(0, whole, samples):
            yield joined[start : start + samples]
        waiting, held = [joined[whole:]], held - whole
    if held:
        yield np.concatenate(waiting)


def trim(blocks: Iterable[np.ndarray], start: int, end: int) -> Iterator[np.ndarray]:
    """Drop the first `start` and the last `end` samples of a stream."""
    held: list[np.ndarray] = []
    for block in blocks:
        dropped = min(start, len(block))
        start -= dropped
        held.append(block[dropped:])
        while held and sum(map(len, held[1:])) >= end:
            ready = held.pop(0)
            if len(ready):
                yield ready
    rest = np.concatenate(held) if held else np.zeros((0, 1), np.float32)
    if len(rest) > end:
        yield rest[: len(rest) - end]


def head(blocks: Iterable[np.ndarray], samples: int | None) -> Iterator[np.ndarray]:
    """The first `samples` samples of a stream; all of it, if None."""
    for block in blocks:
        if samples is None:
            yield block
            continue
        yield block[:samples]
        samples -= len(block)
        if samples <= 0:
            return


def limit(
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    ceiling: float = CEILING,
    look_ahead_seconds: float = 0.005,
) -> Iterator[np.ndarray]:
    """Keep a stream of blocks `[samples, channels]` under `ceiling`, without clipping.

    The gain falls smoothly before a peak and rises after it, the same for all channels; what never
    passes the ceiling is not touched at all. The gain of each sample is a weighted mean of minima
    that all cover the sample, hence never more than the sample needs.
    """
    reach = max(1, round(look_ahead_seconds * sample_rate))
    weights = np.hanning(2 * reach + 3)[1:-1]
    weights /= weights.sum()
    context = 2 * reach

    def gains(needed: np.ndarray) -> np.ndarray:
        lowest = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")[reach:-reach]
        if lowest.min() == 1.0:
            return np.ones(len(needed) - 2 * context, np.float32)
        return np.convolve(lowest, weights, "valid").astype(np.float32)

    before = np.ones(context)
    pending: np.ndarray | None = None
    for block in blocks:
        joined = block if pending is None else np.concatenate([pending, block])
        needed = np.concatenate([before, _needed_gain(joined, ceiling)])
        ready = len(joined) - context
        if ready > 0:
            yield joined[:ready] * gains(needed)[:, None]
            before = needed[ready : ready + context]
            joined = joined[ready:]
        pending = joined
    if pending is not None and len(pending):
        needed = np.concatenate([before, _needed_gain(pending, ceiling), np.ones(context)])
        yield pending * gains(needed)[:, None]


def _needed_gain(block: np.ndarray, ceiling: float) -> np.ndarray:
    return ceiling / np.maximum(np.abs(block).max(axis=1), ceiling)
