"""Elementwise exp over growing arrays, on the CPU and, if there is one, on the GPU.

Source: "Music Style Classification and Transformation", section 5.1: 1000 iterations of exp() on
230 400 values took 2.91 s on a CPU and 0.849 s on a GPU, a ratio of 3.43.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from timing import Cost, compare

_SIZES = (23_040, 230_400, 2_304_000)
_ITERATIONS = 1000
_ROUNDS = 3


def measure(folder: Path) -> list[Cost]:
    """Measure every device against NumPy: seconds of 1000 iterations."""
    devices = [device.name for device in tf.config.list_logical_devices()]
    return [
        against_numpy(size, device)
        for size in _SIZES
        for device in devices
        if device.split(":")[-2] in ("CPU", "GPU")
    ]


def against_numpy(size: int, device: str) -> Cost:
    values = np.random.default_rng(0).random(size, np.float32)
    with tf.device(device):
        tensor = tf.constant(values)

    def on_device() -> None:
        with tf.device(device):
            for _ in range(_ITERATIONS):
                result = tf.exp(tensor)
            result.numpy()  # waits for the device

    def by_numpy() -> None:
        for _ in range(_ITERATIONS):
            np.exp(values)

    name = f"1000 × exp of {size:,} values, {device.split(':', 1)[-1].removeprefix('device:')}"
    return compare(name, on_device, "NumPy", by_numpy, _ROUNDS)
