"""The one optimization loop: a canvas's values climb an objective of what a network sees."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import Bounds, OptimizeResult, minimize

from tfdream.config import OptimizerConfig
from tfdream.signal.images import Size
from tfdream.synthesis.ascent.objectives import INPUT, Activations, Objective, Reference, Targets
from tfdream.synthesis.ascent.transforms import shift, smoothing
from tfdream.synthesis.canvases import Canvas, Context

Step = Callable[[float, tf.Tensor], bool | None]
"""Hears the objective before a step, summed over the batch, and the values after it; True stops."""

# Keeps a division finite where nothing pulls in any direction.
_TINY = 1e-12
_ADAM_DECAYS = (0.9, 0.999)
_LBFGS_CORRECTIONS = 20


class CompiledObjective:
    """An objective as a function of a canvas's values, with its gradient, compiled.

    Args:
      canvas: whose values are asked for.
      network: from the model's input to a dict of activations, as `models.inspect.tap` makes it; None if
        the objective looks at the input alone.
      objective: of those activations.
      measured: further objectives by name, which `measure` evaluates.
      size: to resize the view to, an octave; None for the view as it is.
      judge: the network that measures, if the one that is climbed is less precise.
    """

    def __init__(
        self,
        canvas: Canvas,
        network: keras.Model | None,
        objective: Objective,
        measured: dict[str, Objective],
        size: Size | None = None,
        judge: keras.Model | None = None,
    ) -> None:
        self.canvas = canvas
        self.network = network
        self.judge = judge or network
        self.objective = objective
        self.measured = measured
        self.size = size
        # Without autograph, whose errors are pages long; nothing here branches on a tensor.
        self.gradient = tf.function(self._gradient, reduce_retracing=True, autograph=False)
        self.precompute = tf.function(self._precompute, reduce_retracing=True, autograph=False)
        self.measure = tf.function(self._measure, reduce_retracing=True, autograph=False)

    def _hear(self, network: keras.Model | None, image: tf.Tensor) -> Activations:
        """A model input → the activations that objectives look at."""
        activations = {} if network is None else dict(network(image, training=False))
        return {**activations, INPUT: image}

    def view(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """What the network sees of a canvas."""
        return self.canvas.view(values, context, self.size)

    def _gradient(
        self,
        values: tf.Tensor,
        context: Context,
        memory: Targets,
        jitter: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(values)
            image = self.view(values, context)
            if jitter is not None:
                image = shift(image, jitter)
            value = self.objective.value(self._hear(self.network, image), memory)
        # Examples of a batch do not touch each other: the sum's gradient is each one's own.
        return value, tape.gradient(value, values)

    def _precompute(self, context: Context, guide: tf.Tensor | None = None) -> Targets:
        """What the objective keeps of the original, and of a guide's waveform."""
        original = self._hear(self.network, self.view(self.canvas.start(context), context))
        return self.objective.precompute(Reference(original, self._hear_guide(self.network, guide)))

    def _measure(
        self, image: tf.Tensor, original: tf.Tensor, guide: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """The measured objectives of a model input, given that of the original."""
        activations = self._hear(self.judge, image)
        scene = Reference(self._hear(self.judge, original), self._hear_guide(self.judge, guide))
        return {
            name: objective.value(activations, objective.precompute(scene))
            for name, objective in self.measured.items()
        }

    def _hear_guide(
        self, network: keras.Model | None, guide: tf.Tensor | None
    ) -> Activations | None:
        if guide is None:
            return None
        return self._hear(network, self.canvas.frontend(guide, self.size))


@dataclass(frozen=True)
class AscentConfig:
    """How to climb.

    Attributes:
      config: the optimizer, how many steps and how wide, and when it is enough.
      tile_seconds: length of the view, of which jitter is a share.
      rng: of the jitter.
    """

    config: OptimizerConfig
    tile_seconds: float
    rng: np.random.Generator

    def jitter(self) -> dict[str, tf.Tensor]:
        """By how much of its width the next view is shifted; nothing if it is not."""
        reach = self.config.jitter_seconds / self.tile_seconds
        if not reach:
            return {}
        return {"jitter": tf.constant(self.rng.uniform(-reach, reach), tf.float32)}


def ascend(
    slope: CompiledObjective,
    values: tf.Tensor,
    context: Context,
    memory: Targets,
    climb: AscentConfig,
    on_step: Step = lambda value, values: None,
) -> tf.Tensor:
    """Change `values` so that the objective rises.

    Args:
      slope: canvas, network and objective.
      values: float32 `[batch, …]` where it begins.
      context: the canvas's, of the original.
      memory: the objective's, of the original and the guide.
      climb: how, and how far.
      on_step: called after every step.

    Returns:
      The new values.
    """

    def gradient(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return slope.gradient(values, context=context, memory=memory, **climb.jitter())

    bound = slope.canvas.bound
    kinds = {"gradient": _normalized_gradient, "adam": _adam, "lbfgs": _lbfgs}
    return kinds[climb.config.kind](gradient, values, bound, climb.config, on_step)


class _Plateau:
    """Sees when climbing no longer pays."""

    def __init__(self, config: OptimizerConfig) -> None:
        self.tolerance = config.tolerance
        self.recent: deque[float] = deque(maxlen=config.patience + 1)

    def reached(self, value: float) -> bool:
        """Whether the last `patience` steps gained less than the tolerance, in all."""
        if not self.tolerance:
            return False
        self.recent.append(value)
        full = len(self.recent) == self.recent.maxlen
        return full and value - self.recent[0] < self.tolerance * abs(self.recent[0])


Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def _normalized_gradient(
    gradient: Gradient,
    values: tf.Tensor,
    bound: float | None,
    config: OptimizerConfig,
    on_step: Step,
) -> tf.Tensor:
    """Steps along the gradient over its mean absolute value, as image dreams do."""
    axes = list(range(1, values.shape.rank))

    def update(step: int, slope: tf.Tensor) -> tf.Tensor:
        return slope * (config.step_size / (tf.reduce_mean(tf.abs(slope), axes, True) + _TINY))

    return _step_by_step(update, gradient, values, bound, config, on_step)


def _adam(
    gradient: Gradient,
    values: tf.Tensor,
    bound: float | None,
    config: OptimizerConfig,
    on_step: Step,
) -> tf.Tensor:
    """Source: Kingma and Ba, "Adam", algorithm 1."""
    first_decay, second_decay = _ADAM_DECAYS
    first = second = tf.zeros_like(values)

    def update(step: int, slope: tf.Tensor) -> tf.Tensor:
        nonlocal first, second
        first = first_decay * first + (1 - first_decay) * slope
        second = second_decay * second + (1 - second_decay) * slope**2
        unbiased = tf.sqrt(second / (1 - second_decay**step)) + 1e-8
        return first * (config.step_size / (1 - first_decay**step)) / unbiased

    return _step_by_step(update, gradient, values, bound, config, on_step)


def _step_by_step(
    update: Callable[[int, tf.Tensor], tf.Tensor],
    gradient: Gradient,
    values: tf.Tensor,
    bound: float | None,
    config: OptimizerConfig,
    on_step: Step,
) -> tf.Tensor:
    """Steps by what `update` makes of the number of the step and the slope."""
    plateau = _Plateau(config)
    smooth = smoothing(config.smoothing)
    for step in range(1, config.steps + 1):
        value, slope = gradient(values)
        values += update(step, smooth(slope, step / config.steps))
        if bound is not None:
            values = tf.clip_by_value(values, -bound, bound)
        total = float(tf.reduce_sum(value))
        if on_step(total, values) or plateau.reached(total):
            break
    return values


def _lbfgs(
    gradient: Gradient,
    values: tf.Tensor,
    bound: float | None,
    config: OptimizerConfig,
    on_step: Step,
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
    plateau = _Plateau(config)

    def descent(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = gradient(unscaled(scaled))
        down = slope.numpy().ravel().astype(np.float64) * (-scale / first)
        return -float(tf.reduce_sum(value)) / first, down

    def unscaled(found: np.ndarray) -> tf.Tensor:
        return tf.constant((found * scale).reshape(shape), tf.float32)

    def step(intermediate_result: OptimizeResult) -> None:
        total = -float(intermediate_result.fun) * first
        if on_step(total, unscaled(intermediate_result.x)) or plateau.reached(total):
            raise StopIteration

    result = minimize(
        descent,
        start / scale,
        jac=True,
        method="L-BFGS-B",
        bounds=None if bound is None else Bounds(-bound / scale, bound / scale),
        callback=step,
        options={
            "maxiter": config.steps,
            "maxfun": 2 * config.steps + 20,
            "maxcor": _LBFGS_CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    return unscaled(result.x)
