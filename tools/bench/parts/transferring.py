"""A step of the published transfer through a random convolution, beside PyTorch where it is."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from timing import Cost, compare, interleaved

_SECONDS = 10


def measure(folder: Path) -> list[Cost]:
    """On ten seconds of noise, as long a style."""
    if find_spec("torch") is None:
        return []
    from gram_step import tfdream_step, torch_step

    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 1, _SECONDS * 22050)).astype(np.float32) / 10
    ours, theirs = tfdream_step(*noise, "float32"), torch_step(*noise)
    interleaved({"allocated then": ours}, 1)
    cost = compare(
        "`transfer/random_conv1d`, a step", ours, "PyTorch, direct Gram matrices", theirs,
        rounds=5, audio_seconds=_SECONDS,
    )  # fmt: skip
    return [cost]
