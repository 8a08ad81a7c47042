"""What hypothesis tests share: profiles, strategies, and sample streams made from a seed.

A test runs a few examples by default, the same ones each time; HYPOTHESIS_PROFILE=thorough runs
many more.
"""

import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FOR_ALL = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("few", max_examples=12, derandomize=True, database=None, **FOR_ALL)
settings.register_profile("thorough", max_examples=500, **FOR_ALL)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))

seeds = st.integers(0, 2**32 - 1)
block_lengths = st.lists(st.integers(1, 700), min_size=1, max_size=4)
"""Lengths of the blocks of a stream, repeated until its end."""


def noise(samples, channels=1, peak=0.9, seed=0):
    """Uniform noise, float32 `[samples, channels]`."""
    values = np.random.default_rng(seed).uniform(-peak, peak, (samples, channels))
    return values.astype(np.float32)


def stream(samples, lengths):
    """Yield `samples` in blocks of these lengths, repeated."""
    start = 0
    while start < len(samples):
        for length in lengths:
            if start < len(samples):
                yield samples[start : start + length]
            start += length


def join(blocks, channels=1):
    """Concatenate blocks; `[0, channels]` if there are none."""
    return np.concatenate([np.zeros((0, channels), np.float32), *blocks])
