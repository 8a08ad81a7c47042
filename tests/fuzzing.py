"""Fuzz targets: call a function with random inputs for a given time.

A target accepts an input or raises `TfdreamError`; any other exception, a crash and a hang are
faults. ``TFDREAM_FUZZ_SECONDS`` is the time of each target, 60 by default. ``TFDREAM_FUZZ_SEED``
selects the inputs; it is random by default and printed with ``-s``. Hypothesis prints the smallest
input that fails. The input that crashed the process is the last one in the test's folder.
"""

import os
import signal
import time
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("TFDREAM_FUZZ_SECONDS", "60"))
HANG_SECONDS = 60
ROUND = 200

SETTINGS = settings(
    max_examples=ROUND,
    deadline=None,
    database=None,
    print_blob=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

# Values at the limits of the fields of headers: lengths, counts and flags.
EXTREMES = [b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff"]
EXTREMES += [b"\x7f\xff\xff\xff", b"\0\xf0\xff\x7f", b"\0" * 8, b"\xff" * 8, b"\0\0\0\x80"]

contents = st.one_of(st.sampled_from(EXTREMES), st.binary(min_size=1, max_size=8))
# Half of the changes are in the first bytes, where most formats have their header.
positions = st.one_of(st.floats(0, 1, exclude_max=True), st.integers(0, 511))
edits = st.lists(
    st.tuples(positions, st.sampled_from(["set", "insert", "delete", "cut", "repeat"]), contents),
    min_size=1,
    max_size=6,
)
"""Changes of a file, for `mutate`."""


def mutate(data, changes):
    """Return a changed copy of `data`, bytes."""
    data = bytearray(data)
    for place, action, content in changes:
        offset = int(place * len(data)) if isinstance(place, float) else place
        position = min(offset, len(data))
        end = position + len(content)
        if action == "set":
            data[position:end] = content
        elif action == "insert":
            data[position:position] = content
        elif action == "delete":
            del data[position:end]
        elif action == "cut":
            del data[position:]
        else:
            data[position:position] = data[position : position + 64 * len(content)]
    return bytes(data)


numbers = st.one_of(
    st.integers(-2, 70_000),
    st.sampled_from([2**31 - 1, 2**31, 2**63 - 1, -(2**63), 2**64, 10**400]),
    st.floats(width=32),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Values of JSON."""


def replace(content, path, value):
    """Return a copy of nested lists and dicts with one replaced value.

    Args:
      content: nested lists and dicts.
      path: numbers that select an entry at each depth, modulo the number of entries.
      value: the new value, or ... to remove the entry.
    """
    if not path or not isinstance(content, dict | list) or not content:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    keys = list(copy) if isinstance(copy, dict) else range(len(copy))
    key = keys[path[0] % len(keys)]
    new = replace(copy[key], path[1:], value)
    if new is ...:
        del copy[key]
    else:
        copy[key] = new
    return copy


replacements = st.lists(
    st.tuples(
        st.lists(st.integers(0, 40), min_size=1, max_size=5), st.one_of(values, st.just(...))
    ),
    min_size=1,
    max_size=3,
)
"""Arguments of `replace`, to be applied in turn."""


def replace_all(content, changes):
    for path, value in changes:
        content = replace(content, path, value)
    return None if content is ... else content


def fuzz(check, *strategies):
    """Call `check` with random arguments until the time is over, and print the number of calls."""
    end = time.monotonic() + SECONDS
    first = int(os.environ.get("TFDREAM_FUZZ_SEED", time.time_ns() % 2**31))
    calls = rounds = 0
    failed = False

    def once(arguments):
        nonlocal calls, failed
        if time.monotonic() >= end and not failed:  # after a failure, it is made smaller
            return
        calls += 1
        try:
            with no_hang():
                check(*arguments)
        except BaseException:
            failed = True
            raise

    while time.monotonic() < end:
        seed(first + rounds)(SETTINGS(given(st.tuples(*strategies))(once)))()
        rounds += 1
    print(f"{check.__name__}: {calls} inputs in {SECONDS:.0f} s, seed {first}")


@contextmanager
def no_hang():
    """Fail if the block takes longer than `HANG_SECONDS`."""

    def fail(*_):
        raise AssertionError(f"no result after {HANG_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
