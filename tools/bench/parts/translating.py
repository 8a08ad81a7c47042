"""A training step of each CycleGAN, on a pair of images."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tensorflow as tf
from timing import Cost, compare
from translations import batch_of_noise, experiment, tfdream_step

from tfdream.models import gan
from tfdream.training.cyclegan import CycleGAN

# The published images have 512×512 pixels, which take sixteen times as long.
_SIZES = {"dreaming_in_music_cyclegan": (128, 128), "small_cyclegan": None}


def measure(folder: Path) -> list[Cost]:
    """Compare with the generators' forward passes, and with PyTorch if it is installed."""
    return [*map(one, (*_SIZES, "recommended_translation")), *_beside_torch()]


def one(name: str) -> Cost:
    settings = experiment(name)
    images = batch_of_noise(settings, _SIZES.get(name), batch=1)
    shape = images[0].shape[1:]
    pairs = [gan.build(settings.model, shape) for _ in range(2)]
    model = CycleGAN(*pairs, settings.training, steps_per_epoch=1)
    translate = tf.function(model.translate, reduce_retracing=True)
    pair = tuple(map(tf.constant, images))

    def forward() -> np.ndarray:
        return translate(pair).translated[0].numpy()

    return compare(
        f"`{name}`, one pair of {shape[0]}×{shape[1]}",
        tfdream_step(settings, pairs, images),
        "forward passes of the generators",
        forward,
        rounds=3,
    )


def _beside_torch() -> Iterator[Cost]:
    if find_spec("torch") is None:
        return
    from cyclegan_step import EXPERIMENTS, both_steps

    for name, config_name in EXPERIMENTS.items():
        steps, difference, (_, height, width) = both_steps(name, _SIZES[config_name], batch=1)
        if difference > 1e-3:
            raise ValueError(f"{name} and its PyTorch version differ by {difference:.2g}")
        yield compare(
            f"`{config_name}`, one pair of {height}×{width}",
            steps["tfdream"],
            "PyTorch",
            steps["PyTorch"],
            rounds=3,
        )
