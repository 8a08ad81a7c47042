"""Networks to be timed, and what a step through them costs."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdream import audio, config
from tfdream.models import classifiers, feature_networks
from tfdream.signal import frontend as frontends
from tfdream.synthesis.ascent.ascend import CompiledObjective
from tfdream.synthesis.audio_model import AudioModel
from tfdream.synthesis.transfer import style_tile_optimizer

Step = Callable[[], tuple[np.ndarray, np.ndarray]]
"""Value and gradient."""


def classifier(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    """That of a configuration, untrained, for ten classes; and the shape of its input."""
    settings = config.load(name, config.Experiment)
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    shape = frontend.shape(settings.input_samples)
    return classifiers.build(settings.model, shape, classes=10), shape


def feature_network(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    """That of a transfer, and the shape of its input."""
    settings = config.load(f"transfer/{name}", config.TransferConfig).network
    frontend = frontends.build(settings.frontend, settings.sample_rate)
    shape = frontend.shape(round(settings.clip_seconds * settings.sample_rate))
    return feature_networks.build(settings, shape), shape


def step_through(network: keras.Model, image: tf.Tensor) -> Step:
    """The norm of the only layer that a network tells of, and its gradient."""

    @tf.function(autograph=False)
    def value_and_gradient(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            (activations,) = network(image, training=False).values()
            value = tf.norm(tf.cast(activations, tf.float32))
        return value, tape.gradient(value, image)

    def step() -> tuple[np.ndarray, np.ndarray]:
        value, gradient = value_and_gradient(image)
        return value.numpy(), gradient.numpy()

    return step


def operations(network: keras.Model, shape: tuple[int, ...]) -> float:
    """Floating-point ones of a network on one input, without loops such as an LSTM's."""
    example = tf.TensorSpec([1, *shape])
    forward = tf.function(network).get_concrete_function(example)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    found = tf.compat.v1.profiler.profile(forward.graph, options=options)
    return float(found.total_float_ops)


class AscentConfig(NamedTuple):
    """A transfer that is about to begin."""

    slope: CompiledObjective
    start: tf.Tensor
    """The values of the content."""
    surroundings: dict[str, object]
    """Context and memory, as the slope's gradient takes them."""

    def gradient(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Value and gradient at these values."""
        return self.slope.gradient(values, **self.surroundings)

    @property
    def view(self) -> tf.Tensor:
        """What the network sees of the content."""
        return self.slope.view(self.start, self.surroundings["context"])


def transfer_climb(
    recipe: config.TransferConfig, listener: AudioModel, content: np.ndarray, style: np.ndarray
) -> AscentConfig:
    """Of one tile float32 `[1, samples]`, toward a style of the same shape."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "style.wav"
        audio.write(path, style.T, listener.sample_rate, 32)
        slope = style_tile_optimizer(path, listener, recipe, resampled=False).slope
    context = slope.canvas.analyze(tf.constant(content), tf.constant([0.0]))
    surroundings = {"context": context, "memory": slope.precompute(context)}
    return AscentConfig(slope, slope.canvas.start(context), surroundings)
