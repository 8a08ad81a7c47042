"""Sample streams: iterables of consecutive blocks, float32 `[samples, channels]`."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]
"""Audio samples, float32 unless stated otherwise."""

CEILING = 0.999
"""The largest absolute sample after `limit`: below full scale, because some formats round up."""


def mid(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Average the channels of each block: `[samples, channels]` → `[samples, 1]`.

    >>> [block.tolist() for block in mid([np.array([[0.0, 1.0], [0.5, 0.5]])])]
    [[[0.5], [0.5]]]
    """
    for block in blocks:
        yield mean_of_channels(block)[:, np.newaxis]


def mean_of_channels(block: Samples) -> Samples:
    """Average the channels of a block: `[samples, channels]` → `[samples]`.

    NumPy's mean over a short axis takes ten times as long.

    >>> mean_of_channels(np.array([[0.0, 1.0], [0.5, 0.5]]))
    array([0.5, 0.5])
    """
    channels = block.shape[1]
    total = block[:, 0]
    for number in range(1, channels):
        total = total + block[:, number]
    mean: Samples = total / channels
    return mean


def resample(blocks: Iterable[Samples], source_rate: int, target_rate: int) -> Iterator[Samples]:
    """Resample a stream of blocks `[samples, channels]`, aligned in time (soxr, high quality).

    >>> blocks = [np.zeros((24000, 1), np.float32)] * 2
    >>> sum(len(block) for block in resample(blocks, 48000, 44100))
    44100
    """
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


def rechunk(blocks: Iterable[Samples], samples: int) -> Iterator[Samples]:
    """Join and cut blocks into blocks of `samples` samples; the last one may be shorter.

    >>> [len(block) for block in rechunk([np.zeros((7, 1)), np.zeros((6, 1))], 5)]
    [5, 5, 3]
    """
    pending: list[Samples] = []
    count = 0
    for block in blocks:
        pending.append(block)
        count += len(block)
        if count < samples:
            continue
        joined = np.concatenate(pending)
        whole = count - count % samples
        for start in range(0, whole, samples):
            yield joined[start : start + samples]
        pending, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(pending)


def frames(blocks: Iterable[Samples], length: int, hop: int) -> Iterator[Samples]:
    """Yield the overlapping frames of a stream of blocks `[samples, …]`: `[frames, …, length]`.

    Samples after the last whole frame are left out.

    >>> [batch.tolist() for batch in frames([np.arange(3), np.arange(3, 8)], length=4, hop=2)]
    [[[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]]
    """
    pending: Samples | None = None
    for block in blocks:
        pending = block if pending is None else np.concatenate([pending, block])
        if len(pending) < length:
            continue
        batch = np.lib.stride_tricks.sliding_window_view(pending, length, axis=0)[::hop]
        yield batch
        pending = pending[len(batch) * hop :]


def padded(blocks: Iterable[Samples], before: int, after: int) -> Iterator[Samples]:
    """Add zeros at both ends of a stream of blocks `[samples, …]`, unless it has no blocks.

    >>> np.concatenate(list(padded([np.array([1.0]), np.array([2.0])], 2, 1))).tolist()
    [0.0, 0.0, 1.0, 2.0, 0.0]
    """
    end: Samples | None = None
    for block in blocks:
        if end is None:
            end = np.zeros((after, *block.shape[1:]), np.float32)
            yield np.zeros((before, *block.shape[1:]), np.float32)
        yield block
    if end is not None:
        yield end


def trim(blocks: Iterable[Samples], start: int, end: int) -> Iterator[Samples]:
    """Remove the first `start` and the last `end` samples of a stream.

    >>> np.concatenate(list(trim([np.arange(4)[:, None], np.arange(4, 8)[:, None]], 3, 2)))[:, 0]
    array([3, 4, 5])
    """
    pending: list[Samples] = []
    for block in blocks:
        removed = min(start, len(block))
        start -= removed
        pending.append(block[removed:])
        while pending and sum(map(len, pending[1:])) >= end:
            ready = pending.pop(0)
            if len(ready):
                yield ready
    rest = np.concatenate(pending) if pending else np.zeros((0, 1), np.float32)
    if len(rest) > end:
        yield rest[: len(rest) - end]


class Counted:
    """A stream of blocks that counts the samples it has yielded.

    >>> blocks = Counted([np.zeros((7, 1)), np.zeros((6, 1))])
    >>> len(list(blocks)), blocks.samples
    (2, 13)
    """

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self._blocks = iter(blocks)
        self.samples = 0

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        block = next(self._blocks)
        self.samples += len(block)
        return block


def head(blocks: Iterable[Samples], samples: int | None) -> Iterator[Samples]:
    """Yield the first `samples` samples of a stream, or all of it for None.

    >>> [len(block) for block in head([np.zeros((7, 1)), np.zeros((6, 1))], 10)]
    [7, 3]
    """
    for block in blocks:
        if samples is None:
            yield block
            continue
        yield block[:samples]
        samples -= len(block)
        if samples <= 0:
            return


def limit(
    blocks: Iterable[Samples],
    sample_rate: int,
    ceiling: float = CEILING,
    look_ahead_seconds: float = 0.005,
) -> Iterator[Samples]:
    """Limit a stream of blocks `[samples, channels]` to `ceiling` without clipping.

    The gain decreases smoothly before a peak and recovers after it, equally for all channels.
    Samples far from any peak above the ceiling do not change at all. The gain of each sample is a
    weighted mean of minima over windows that contain the sample, hence at most the gain that the
    sample requires.

    Args:
      blocks: the samples.
      sample_rate: in Hz.
      ceiling: largest absolute sample of the result.
      look_ahead_seconds: half the length over which the gain changes on each side of a peak.
    """
    # The processes that decode do not limit, and import this module without half a second of SciPy.
    from scipy.ndimage import minimum_filter1d

    reach = max(1, round(look_ahead_seconds * sample_rate))
    weights = np.hanning(2 * reach + 3)[1:-1]
    weights /= weights.sum()
    context = 2 * reach

    def gains(required: Samples) -> Samples:
        lowest = minimum_filter1d(required, 2 * reach + 1, mode="nearest")[reach:-reach]
        if lowest.min() == 1.0:
            return np.ones(len(required) - 2 * context, np.float32)
        return np.convolve(lowest, weights, "valid").astype(np.float32)

    before = np.ones(context)
    pending: Samples | None = None
    for block in blocks:
        joined = block if pending is None else np.concatenate([pending, block])
        required = np.concatenate([before, _required_gain(joined, ceiling)])
        ready = len(joined) - context
        if ready > 0:
            yield joined[:ready] * gains(required)[:, None]
            before = required[ready : ready + context]
            joined = joined[ready:]
        pending = joined
    if pending is not None and len(pending):
        required = np.concatenate([before, _required_gain(pending, ceiling), np.ones(context)])
        yield pending * gains(required)[:, None]


def _required_gain(block: Samples, ceiling: float) -> Samples:
    gain: Samples = ceiling / np.maximum(np.abs(block).max(axis=1), ceiling)
    return gain
