"""Networks of the benchmarks, and the cost of a step through them."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdream import audio, config
from tfdream.models import classifiers, feature_networks
from tfdream.signal import frontends
from tfdream.synthesis.ascent.ascend import CompiledObjective
from tfdream.synthesis.audio_model import AudioModel
from tfdream.synthesis.transfer import style_tile_optimizer

Step = Callable[[], tuple[np.ndarray, np.ndarray]]
"""Value and gradient."""


def classifier(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    """Return the untrained network of a configuration for ten classes, and its input shape."""
    settings = config.load(name, config.Experiment)
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    shape = frontend.shape(settings.input_samples)
    return classifiers.build(settings.model, shape, classes=10), shape


def feature_network(name: str) -> tuple[keras.Model, tuple[int, ...]]:
    """Return the feature network of a transfer and its input shape."""
    settings = config.load(f"transfer/{name}", config.TransferConfig).network
    frontend = frontends.build(settings.frontend, settings.sample_rate)
    shape = frontend.shape(round(settings.clip_seconds * settings.sample_rate))
    return feature_networks.build(settings, shape), shape


def step_through(network: keras.Model, image: tf.Tensor) -> Step:
    """Return a function that computes the norm of a network's only output and its gradient."""

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
    """Return the floating-point operations on one input, without loops such as LSTM layers."""
    example = tf.TensorSpec([1, *shape])
    forward = tf.function(network).get_concrete_function(example)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    profile = tf.compat.v1.profiler.profile(forward.graph, options=options)
    return float(profile.total_float_ops)


class InitialState(NamedTuple):
    """The initial state of a transfer on one tile."""

    compiled: CompiledObjective
    start: tf.Tensor
    """Canvas values of the content."""
    arguments: dict[str, object]
    """Context and precomputed targets, as the compiled objective takes them."""

    def gradient(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return value and gradient at the given values."""
        return self.compiled.value_and_gradient(values, **self.arguments)

    @property
    def view(self) -> tf.Tensor:
        """Model input of the content."""
        return self.compiled.view(self.start, self.arguments["context"])


def transfer_ascent(
    recipe: config.TransferConfig, audio_model: AudioModel, content: np.ndarray, style: np.ndarray
) -> InitialState:
    """Prepare the transfer of one tile, float32 `[1, samples]`, to a style of the same shape."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "style.wav"
        audio.write(path, style.T, audio_model.sample_rate, 32)
        compiled = style_tile_optimizer(path, audio_model, recipe).compiled
    context = compiled.canvas.analyze(tf.constant(content), tf.constant([0.0]))
    arguments = {"context": context, "targets": compiled.precompute(context)}
    return InitialState(compiled, compiled.canvas.start(context), arguments)
