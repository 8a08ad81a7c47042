"""The optimization loop: change a canvas's values so that an objective of activations rises."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import Bounds, OptimizeResult, minimize

from tfdream.config import OptimizerConfig
from tfdream.signal.graphs import compiled
from tfdream.signal.images import Size
from tfdream.synthesis.ascent.objectives import INPUT, Activations, Objective, Reference, Targets
from tfdream.synthesis.ascent.transforms import shift, smoothing
from tfdream.synthesis.canvases import Canvas, Context


class StepFn(Protocol):
    """Callback after each optimization step."""

    def __call__(self, value: float, values: tf.Tensor) -> bool | None:
        """Receive the result of a step.

        Args:
          value: the objective before the step, summed over the batch.
          values: the canvas values after the step.

        Returns:
          True to stop the optimization with these values.
        """


ValueAndGradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Canvas values `[batch, …]` → objective float32 `[batch]`, and its gradient of their shape."""

# Keeps quotients finite where the gradient is zero.
_TINY = 1e-12
_ADAM_DECAYS = (0.9, 0.999)
_LBFGS_CORRECTIONS = 20


class CompiledObjective:
    """An objective as a compiled function of a canvas's values, with its gradient.

    Args:
      canvas: the canvas whose values are optimized.
      network: maps the model's input to a dict of activations, as made by `models.inspect.tap`;
        None if the objective uses only the input.
      objective: the function of the activations that is maximized.
      measured: further objectives by name, which `measure` evaluates.
      size: size of an octave, to which the view is resized; None for the view as it is.
      measuring_network: network used for measuring, if `network` is of lower precision.
    """

    def __init__(
        self,
        canvas: Canvas,
        network: keras.Model | None,
        objective: Objective,
        measured: dict[str, Objective],
        size: Size | None = None,
        measuring_network: keras.Model | None = None,
    ) -> None:
        self.canvas = canvas
        self.network = network
        self.measuring_network = measuring_network or network
        self.objective = objective
        self.measured = measured
        self.size = size
        self.value_and_gradient = compiled(self._value_and_gradient)
        self.precompute = compiled(self._precompute)
        self.measure = compiled(self._measure)

    def view(self, values: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the model's input for the values of the canvas."""
        return self.canvas.view(values, context, self.size)

    def _activations(self, network: keras.Model | None, image: tf.Tensor) -> Activations:
        """Return all activations for a model input."""
        activations = {} if network is None else dict(network(image, training=False))
        return {**activations, INPUT: image}

    def _guide_activations(
        self, network: keras.Model | None, guide: tf.Tensor | None
    ) -> Activations | None:
        if guide is None:
            return None
        return self._activations(network, self.canvas.frontend(guide, self.size))

    def _value_and_gradient(
        self,
        values: tf.Tensor,
        context: Context,
        targets: Targets,
        jitter: tf.Tensor | None = None,
        pixels: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(values)
            image = shifted = self.view(values, context)
            if jitter is not None:
                shifted = shift(shifted, jitter)
            if pixels is not None:
                shifted = tf.roll(shifted, pixels, axis=(1, 2))
            # The input itself is not shifted for objectives: some compare it with that of the
            # original.
            activations = {**self._activations(self.network, shifted), INPUT: image}
            value = self.objective.value(activations, targets)
        # Examples of a batch are independent: the gradient of the sum contains each one's gradient.
        return value, tape.gradient(value, values)

    def _precompute(self, context: Context, guide: tf.Tensor | None = None) -> Targets:
        """Return the objective's targets for the original and the waveforms of a guide."""
        image = self.view(self.canvas.start(context), context)
        original = self._activations(self.network, image)
        guided = self._guide_activations(self.network, guide)
        return self.objective.precompute(Reference(original, guided))

    def _measure(
        self, image: tf.Tensor, original: tf.Tensor, guide: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Evaluate the measured objectives for a model input, given that of the original."""
        network = self.measuring_network
        activations = self._activations(network, image)
        reference = Reference(
            self._activations(network, original), self._guide_activations(network, guide)
        )
        return {
            name: objective.value(activations, objective.precompute(reference))
            for name, objective in self.measured.items()
        }


@dataclass(frozen=True)
class AscentOptions:
    """Settings and random state of an ascent.

    Attributes:
      optimizer: algorithm, steps, step size and stopping criterion.
      tile_seconds: length of the view; jitter is a share of it.
      rng: random numbers for the jitter.
    """

    optimizer: OptimizerConfig
    tile_seconds: float
    rng: np.random.Generator

    def jitter(self) -> dict[str, tf.Tensor]:
        """Draw the arguments `jitter` and `pixels` of the next evaluation, if there is jitter."""
        shifts = {}
        limit = self.optimizer.jitter_seconds / self.tile_seconds
        if limit:
            shifts["jitter"] = tf.constant(self.rng.uniform(-limit, limit), tf.float32)
        pixels = self.optimizer.jitter_pixels
        if pixels:
            drawn = self.rng.integers(-pixels, pixels, size=2, endpoint=True)
            shifts["pixels"] = tf.constant(drawn, tf.int32)
        return shifts


def ascend(
    compiled: CompiledObjective,
    values: tf.Tensor,
    context: Context,
    targets: Targets,
    options: AscentOptions,
    on_step: StepFn = lambda value, values: None,
) -> tf.Tensor:
    """Change canvas values so that the objective rises.

    Args:
      compiled: canvas, network and objective.
      values: initial values, float32 `[batch, …]`.
      context: the canvas's context of the original.
      targets: the objective's targets, from the original and the guide.
      options: the optimizer and its random state.
      on_step: called after every step.

    Returns:
      The new values.
    """

    def value_and_gradient(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        value, gradient = compiled.value_and_gradient(
            values, context=context, targets=targets, **options.jitter()
        )
        return value, gradient

    return maximize(
        Problem(value_and_gradient, options.optimizer, on_step, compiled.canvas.limits), values
    )


@dataclass(frozen=True)
class Problem:
    """A function of values to maximize.

    Attributes:
      value_and_gradient: the function, for each example of a batch.
      config: algorithm, steps, step size and stopping criterion.
      on_step: called after every step.
      limits: lowest and highest value; None for no limits.
    """

    value_and_gradient: ValueAndGradient
    config: OptimizerConfig
    on_step: StepFn = lambda value, values: None
    limits: tuple[float, float] | None = None


def maximize(problem: Problem, values: tf.Tensor) -> tf.Tensor:
    """Return values float32 `[batch, …]` at which the function of a problem is larger."""
    return _OPTIMIZERS[problem.config.kind](problem, values)


class _Plateau:
    """Detects that the objective no longer rises."""

    def __init__(self, config: OptimizerConfig) -> None:
        self.tolerance = config.tolerance
        self.recent: deque[float] = deque(maxlen=config.patience + 1)

    def reached(self, value: float) -> bool:
        """Return whether the last `patience` steps together gained less than the tolerance."""
        if not self.tolerance:
            return False
        self.recent.append(value)
        full = len(self.recent) == self.recent.maxlen
        return full and value - self.recent[0] < self.tolerance * abs(self.recent[0])


def _normalized_gradient(problem: Problem, values: tf.Tensor) -> tf.Tensor:
    """Step along the gradient divided by its mean absolute value, as image dreams do."""
    axes = list(range(1, values.shape.rank))

    def update(step: int, gradient: tf.Tensor) -> tf.Tensor:
        size = tf.reduce_mean(tf.abs(gradient), axes, True) + _TINY
        return gradient * (problem.config.step_size / size)

    return _step_by_step(update, problem, values)


def _sgd(problem: Problem, values: tf.Tensor) -> tf.Tensor:
    """Step by the gradient times the learning rate, as SGD without momentum does."""
    return _step_by_step(
        lambda step, gradient: problem.config.step_size * gradient, problem, values
    )


def _adam(problem: Problem, values: tf.Tensor) -> tf.Tensor:
    """Step by Adam.

    Source: Kingma and Ba, "Adam", algorithm 1.
    """
    first_decay, second_decay = _ADAM_DECAYS
    first = second = tf.zeros_like(values)

    def update(step: int, gradient: tf.Tensor) -> tf.Tensor:
        nonlocal first, second
        first = first_decay * first + (1 - first_decay) * gradient
        second = second_decay * second + (1 - second_decay) * gradient**2
        unbiased = tf.sqrt(second / (1 - second_decay**step)) + 1e-8
        return first * (problem.config.step_size / (1 - first_decay**step)) / unbiased

    return _step_by_step(update, problem, values)


def _step_by_step(
    update: Callable[[int, tf.Tensor], tf.Tensor], problem: Problem, values: tf.Tensor
) -> tf.Tensor:
    """Add to the values what `update` computes from the step number and the smoothed gradient."""
    config = problem.config
    plateau = _Plateau(config)
    smooth = smoothing(config.smoothing)
    for step in range(1, config.steps + 1):
        value, gradient = problem.value_and_gradient(values)
        values += update(step, smooth(gradient, step / config.steps))
        if problem.limits is not None:
            values = tf.clip_by_value(values, *problem.limits)
        total = float(tf.reduce_sum(value))
        if problem.on_step(total, values) or plateau.reached(total):
            break
    return values


def _lbfgs(problem: Problem, values: tf.Tensor) -> tf.Tensor:
    """Run SciPy's L-BFGS-B on all examples together.

    Values are divided by step_size · √(number of values): the first step of L-BFGS-B has unit
    length, which then is `step_size` for each value on average. The objective is divided by its
    first value. SciPy's tolerances are off; it ends after `steps` steps, when its line search finds
    no increase, or with the last finite values if the objective exceeds the range of float32.
    """
    config, limits = problem.config, problem.limits
    shape = values.shape
    start = values.numpy().ravel().astype(np.float64)
    scale = config.step_size * np.sqrt(start.size)
    reached = float(tf.reduce_sum(problem.value_and_gradient(values)[0]))
    first = max(abs(reached), _TINY)
    plateau = _Plateau(config)
    finite = start / scale

    def loss_and_gradient(scaled: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        value, gradient = problem.value_and_gradient(unscaled(scaled))
        descent = gradient.numpy().ravel().astype(np.float64) * (-scale / first)
        return -float(tf.reduce_sum(value)) / first, descent

    def unscaled(scaled: NDArray[Any]) -> tf.Tensor:
        with np.errstate(over="ignore"):
            return tf.constant((scaled * scale).reshape(shape), tf.float32)

    def step(intermediate_result: OptimizeResult) -> None:
        nonlocal finite, reached
        total = -float(intermediate_result.fun) * first
        if not np.isfinite(total):
            raise StopIteration
        finite = intermediate_result.x.copy()
        before, reached = reached, total
        if problem.on_step(before, unscaled(finite)) or plateau.reached(total):
            raise StopIteration

    result = minimize(
        loss_and_gradient,
        start / scale,
        jac=True,
        method="L-BFGS-B",
        bounds=None if limits is None else Bounds(*(limit / scale for limit in limits)),
        callback=step,
        options={
            "maxiter": config.steps,
            "maxfun": 2 * config.steps + 20,
            "maxcor": _LBFGS_CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    return unscaled(result.x if np.isfinite(result.fun) else finite)


_OPTIMIZERS: dict[str, Callable[[Problem, tf.Tensor], tf.Tensor]] = {
    "gradient": _normalized_gradient,
    "sgd": _sgd,
    "adam": _adam,
    "lbfgs": _lbfgs,
}
