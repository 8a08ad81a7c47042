"""Training from shards, compared with the same steps on tensors in memory."""

import statistics
from pathlib import Path

from corpora import prepared
from throughput import measure as speeds
from timing import Cost, beside

from tfdream import config

_STEPS = 40
"""An iterator of a pipeline takes some tenths of a second to start, which training does once."""
_NETWORKS = ("lil_data", "raw_conv1d", "recommended")


def measure(folder: Path) -> list[Cost]:
    """Measure seconds per example of 5 s, with images recomputed in every step."""
    dataset, _ = prepared(folder)
    return [one(name, dataset) for name in _NETWORKS]


def one(name: str, dataset: Path) -> Cost:
    overrides = ("training.memory_gigabytes=0", "training.batch_size=8")
    read, bare, _ = speeds(name, dataset, _STEPS, 3, overrides)
    seconds = 1 / statistics.median(read)
    clip_seconds = config.load(name, config.Experiment).prepare.clip_seconds
    what = f"`{name}`, one example"
    return Cost(
        what, seconds, "the same steps on tensors in memory", beside(bare, read), clip_seconds
    )
