"""A training step of every classifier and every sequence model, on examples in memory."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from networks import classifier, operations
from timing import Cost, compare

from tfdream import config
from tfdream.models import sequence
from tfdream.signal import frontends
from tfdream.training.classification import build_classifier
from tfdream.training.generation import SequenceModelTraining, image_to_frames

_BATCH = 4
_STEPS_PER_EPOCH = 1000


def measure(folder: Path) -> list[Cost]:
    """Compare with the forward pass: training adds gradients at inputs and weights."""
    costs = []
    for name in config.names():
        if "/" in name:  # a recipe
            continue
        settings = config.load_experiment(name)
        if isinstance(settings, config.GenerationExperiment):
            costs.append(_sequence_model(name, settings))
        elif isinstance(settings, config.Experiment) and settings.model is not None:
            costs.append(_classifier(name, settings))
    return costs


def _classifier(name: str, settings: config.Experiment) -> Cost:
    network, shape = classifier(name)
    model = build_classifier(network, settings.training, _STEPS_PER_EPOCH)
    inputs = tf.random.stateless_uniform([_BATCH, *shape], [0, 0])
    labels = tf.one_hot(np.arange(_BATCH), model.output.shape[-1])
    return _cost(name, model, (inputs, labels), 3 * _BATCH * operations(network, shape))


def _sequence_model(name: str, settings: config.GenerationExperiment) -> Cost:
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    shape = frontend.shape(settings.input_samples)
    generator = sequence.build(settings.model, shape)
    images = tf.random.stateless_uniform([_BATCH, *shape], [0, 0])
    generator.adapt(image_to_frames(images).numpy(), 0.0, seed=0)
    return _cost(
        name, SequenceModelTraining(generator, settings.training, _STEPS_PER_EPOCH), images
    )


def _cost(name: str, model: keras.Model, batch: object, costly: float | None = None) -> Cost:
    learn, test = (
        tf.function(way, reduce_retracing=True) for way in (model.train_step, model.test_step)
    )
    return compare(
        f"`{name}`, one step of {_BATCH} examples",
        partial(_loss, learn, batch),
        "forward pass and loss",
        partial(_loss, test, batch),
        rounds=3,
        operations=costly,
    )


def _loss(way: Callable[..., dict[str, tf.Tensor]], batch: object) -> np.ndarray:
    return way(batch)["loss"].numpy()
