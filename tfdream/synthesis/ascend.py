"""The one optimisation loop: a canvas's values climb an objective of what a network sees."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import minimize

from tfdream.config import OptimiserConfig
from tfdream.signal.frontend import resize
from tfdream.synthesis.canvas import Canvas, Context
from tfdream.synthesis.objectives import INPUT, Objective

Size = tuple[int, int]
Step = Callable[[], None]

# Keeps a division finite where nothing pulls in any direction.
_TINY = 1e-12
_ADAM_DECAYS = (0.9, 0.999)
_LBFGS_CORRECTIONS = 20


class Slope:
    """An objective as a function of a canvas's values, with its gradient, compiled.

    Args:
      canvas: whose values are asked for.
      network: from the model's input to a dict of activations, as `models.tap` makes it; None if
        the objective looks at the input alone.
      objective: of those activations.
    """

    def __init__(self, canvas: Canvas, network: keras.Model | None, objective: Objective) -> None:
        self.canvas = canvas
        self.network = network
        self.objective = objective
        self.value = tf.function(self._value, reduce_retracing=True)
        self.gradient = tf.function(self._gradient, reduce_retracing=True)

    def of_input(self, image: tf.Tensor) -> tf.Tensor:
        """The objective of a model input: float32 `[batch]`."""
        activations = {} if self.network is None else self.network(image, training=False)
        return self.objective.value({**activations, INPUT: image})

    def _value(self, values: tf.Tensor, context: Context, size: Size | None = None) -> tf.Tensor:
        image = self.canvas.view(values, context)
        return self.of_input(image if size is None else resize(image, size))

    def _gradient(
        self, values: tf.Tensor, context: Context, size: Size | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = self._value(values, context, size)
        # Examples of a batch do not touch each other: the sum's gradient is each one's own.
        return value, tape.gradient(value, values)


def ascend(
    slope: Slope,
    values: tf.Tensor,
    context: Context,
    config: OptimiserConfig,
    size: Size | None = None,
    on_step: Step = lambda: None,
) -> tf.Tensor:
    """Change `values` so that the objective rises.

    Args:
      slope: canvas, network and objective.
      values: float32 `[batch, …]` where it begins.
      context: the canvas's, of the original.
      config: how to climb, how many steps and how wide.
      size: to resize the view to, an octave; None for the view as it is.
      on_step: called after every step.

    Returns:
      The new values.
    """
    climb = {"gradient": _normalised_gradient, "adam": _adam, "lbfgs": _lbfgs}[config.kind]
    return climb(partial(slope.gradient, context=context, size=size), values, config, on_step)


Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def _normalised_gradient(
    gradient: Gradient, values: tf.Tensor, config: OptimiserConfig, on_step: Step
) -> tf.Tensor:
    """Steps along the gradient over its mean absolute value, as image dreams do."""
    axes = list(range(1, values.shape.rank))
    for _ in range(config.steps):
        _, slope = gradient(values)
        scale = tf.reduce_mean(tf.abs(slope), axes, keepdims=True) + _TINY
        values += config.step_size * slope / scale
        on_step()
    return values


def _adam(
    gradient: Gradient, values: tf.Tensor, config: OptimiserConfig, on_step: Step
) -> tf.Tensor:
    """Source: Kingma and Ba, "Adam", algorithm 1."""
    first_decay, second_decay = _ADAM_DECAYS
    first = second = tf.zeros_like(values)
    for step in range(1, config.steps + 1):
        _, slope = gradient(values)
        first = first_decay * first + (1 - first_decay) * slope
        second = second_decay * second + (1 - second_decay) * slope**2
        unbiased = tf.sqrt(second / (1 - second_decay**step)) + 1e-8
        values += config.step_size * first / (1 - first_decay**step) / unbiased
        on_step()
    return values


def _lbfgs(
    gradient: Gradient, values: tf.Tensor, config: OptimiserConfig, on_step: Step
) -> tf.Tensor:
    """SciPy's L-BFGS-B on all examples together.

    Values are divided by step_size · √(their number): its first step has unit length, which is then
    `step_size` for each value on average. The objective is divided by its first value. Its
    tolerances are off; it ends after `steps` steps, or where no direction climbs any more.
    """
    shape = values.shape
    start = values.numpy().ravel().astype(np.float64)
    scale = config.step_size * np.sqrt(start.size)
    first = max(abs(float(tf.reduce_sum(gradient(values)[0]))), _TINY)

    def descent(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = gradient(tf.constant((scaled * scale).reshape(shape), tf.float32))
        down = slope.numpy().ravel().astype(np.float64) * (-scale / first)
        return -float(tf.reduce_sum(value)) / first, down

    result = minimize(
        descent,
        start / scale,
        jac=True,
        method="L-BFGS-B",
        callback=lambda _: on_step(),
        options={
            "maxiter": config.steps,
            "maxfun": 2 * config.steps + 20,
            "maxcor": _LBFGS_CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    return tf.constant((result.x * scale).reshape(shape), tf.float32)
