"""CycleGANs of the benchmarks, and images for them."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfdream import config
from tfdream.models import gan
from tfdream.signal import frontends
from tfdream.training.cyclegan import CycleGAN

Step = Callable[[], object]


def experiment(name: str) -> config.TranslationExperiment:
    """Load a packaged configuration."""
    return config.load(name, config.TranslationExperiment)


def batch_of_noise(
    settings: config.TranslationExperiment,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return images of both genres; by default of the published size and number."""
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    shape = size or frontend.shape(settings.input_samples)[:2]
    count = batch or settings.training.batch_size
    first, second = np.random.default_rng(0).uniform(0, 1, (2, count, *shape, 1))
    return first.astype(np.float32), second.astype(np.float32)


def tfdream_step(
    settings: config.TranslationExperiment,
    pairs: list[gan.GanNetworks],
    batch: tuple[np.ndarray, np.ndarray],
) -> Step:
    """Return `CycleGAN.train_step`, compiled as in `fit`."""
    model = CycleGAN(*pairs, settings.training, steps_per_epoch=1)
    compiled = tf.function(model.train_step, reduce_retracing=True)
    images = tuple(map(tf.constant, batch))

    def step() -> None:
        compiled(images)["loss"].numpy()

    return step
