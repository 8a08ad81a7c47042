"""A training step of every classifier and every sequence model, on examples in memory."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from networks import classifier, operations
from timing import Cost, compare

from tfdream import config
from tfdream.io import processes
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models import sequence
from tfdream.signal import frontends
from tfdream.training.classification import build_classifier
from tfdream.training.generation import SequenceModelTraining, image_to_frames

_STEPS_PER_EPOCH = 1000
_ROUNDS = 5
_MOST_VALUES = 4_000_000
"""Largest number of input values in a batch; large images get smaller batches."""
_TOLERANCE = 1e-3


def measure(folder: Path) -> list[Cost]:
    """Compare with PyTorch, or if it is not installed, with the forward pass.

    Each network has its own process: the memory of a large one would slow down the next ones.
    """
    names = (name for name in config.names() if "/" not in name)  # the others are recipes
    costs = (processes.call_apart(_measure, no_progress, name) for name in names)
    return [cost for cost in costs if cost is not None]


def _measure(_: ProgressFn, name: str) -> Cost | None:
    settings = config.load_experiment(name)
    if isinstance(settings, config.GenerationExperiment):
        return _sequence_model(name, settings)
    if isinstance(settings, config.Experiment) and settings.model is not None:
        return _classifier(name, settings)
    return None


def _classifier(name: str, settings: config.Experiment) -> Cost:
    network, shape = classifier(name)
    count = min(settings.training.batch_size, max(2, _MOST_VALUES // int(np.prod(shape))))
    model = build_classifier(network, settings.training, _STEPS_PER_EPOCH)
    # A head alone is trained on the activations before it.
    shape = model.inputs[0].shape[1:]
    rng = np.random.default_rng(0)
    inputs = rng.random((count, *shape), np.float32)
    classes = model.output.shape[-1]
    labels = np.eye(classes, dtype=np.float32)[np.arange(count) % classes]
    step = _step(model, (tf.constant(inputs), tf.constant(labels)))
    what = f"`{name}`, one step of {count} examples"
    costly = 3 * count * operations(model, shape)
    if find_spec("torch") is None or settings.training.trainable == "head":
        return _beside_forward(what, step, model, (inputs, labels), costly)
    from torch_classifier import TorchClassifier, largest_difference, torch_step

    other = TorchClassifier(network)
    _check(name, largest_difference(network, other, inputs[:2]))
    reference = torch_step(other, settings.training, (inputs, labels))
    return compare(what, step, "PyTorch", reference, _ROUNDS, operations=costly)


def _sequence_model(name: str, settings: config.GenerationExperiment) -> Cost:
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    shape = frontend.shape(settings.input_samples)
    generator = sequence.build(settings.model, shape)
    count = settings.training.batch_size
    images = tf.random.stateless_uniform([count, *shape], [0, 0])
    frames = image_to_frames(images).numpy()
    generator.adapt(frames, 0.0, seed=0)
    model = SequenceModelTraining(generator, settings.training, _STEPS_PER_EPOCH)
    step, what = _step(model, images), f"`{name}`, one step of {count} examples"
    if find_spec("torch") is None:
        return _beside_forward(what, step, model, images)
    from torch_sequence import loss_difference, torch_model, torch_step

    other = torch_model(generator, settings.training)
    _check(name, loss_difference(generator, other, frames[:2]))
    reference = torch_step(other, settings.training, frames)
    return compare(what, step, "PyTorch", reference, _ROUNDS)


def _step(model: keras.Model, batch: object) -> Callable[[], np.ndarray]:
    return partial(_loss, tf.function(model.train_step, reduce_retracing=True), batch)


def _beside_forward(
    what: str,
    step: Callable[[], np.ndarray],
    model: keras.Model,
    batch: object,
    costly: float | None = None,
) -> Cost:
    test = tf.function(model.test_step, reduce_retracing=True)
    return compare(
        what,
        step,
        "forward pass and loss",
        partial(_loss, test, batch),
        _ROUNDS,
        operations=costly,
    )


def _loss(way: Callable[..., dict[str, tf.Tensor]], batch: object) -> np.ndarray:
    return way(batch)["loss"].numpy()


def _check(name: str, difference: float) -> None:
    if difference > _TOLERANCE:
        raise ValueError(f"{name} and its PyTorch version differ by {difference:.2g}")
