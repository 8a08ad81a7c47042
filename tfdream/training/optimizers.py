"""Optimizers and learning rate schedules from configurations."""

import math
from typing import Any

import keras
from keras import ops

from tfdream.config import GenerationTrainingConfig, TrainingConfig, TranslationTrainingConfig

_UNDECAYED = ("bias", "beta", "gamma")


class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rises to the full rate over some steps, then stays, or falls to 0 along half a cosine.

    Source: Loshchilov and Hutter, "SGDR", equation 5, without restarts; Goyal et al., "Accurate,
    large minibatch SGD", section 2.2.
    """

    def __init__(self, rate: float, warmup_steps: int, cosine_steps: int | None) -> None:
        super().__init__()
        self.rate = rate
        self.warmup_steps = warmup_steps
        self.cosine_steps = cosine_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        factor = ops.minimum((step + 1) / max(1, self.warmup_steps), 1.0)
        if self.cosine_steps is not None:
            done = (step - self.warmup_steps) / max(1, self.cosine_steps)
            factor *= 0.5 * (1 + ops.cos(math.pi * ops.clip(done, 0.0, 1.0)))
        return self.rate * factor

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "rate": self.rate,
            "warmup_steps": self.warmup_steps,
            "cosine_steps": self.cosine_steps,
        }


class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A constant rate for some steps, then a linear decay to 0.

    Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
    networks", section 4.
    """

    def __init__(self, rate: float, constant_steps: int, decay_steps: int) -> None:
        super().__init__()
        self.rate = rate
        self.constant_steps = constant_steps
        self.decay_steps = decay_steps

    def __call__(self, step: Any) -> Any:
        done = (ops.cast(step, "float32") - self.constant_steps) / self.decay_steps
        return self.rate * (1 - ops.clip(done, 0.0, 1.0))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "rate": self.rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
        }


def build_for_translation(
    training: TranslationTrainingConfig, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Build the optimizer of two generators or of two discriminators, with its schedule."""
    rate: float | LinearDecay = training.learning_rate
    if training.decay_epochs:
        decay_steps = training.decay_epochs * steps_per_epoch
        rate = LinearDecay(
            training.learning_rate, training.epochs * steps_per_epoch - decay_steps, decay_steps
        )
    return _for_precision(keras.optimizers.Adam(rate, beta_1=training.beta_1))


def build_for_generation(
    training: GenerationTrainingConfig, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Build the optimizer of a sequence model, with its schedule."""
    rate: float | WarmCosine = training.learning_rate
    if training.schedule == "cosine":
        rate = WarmCosine(training.learning_rate, 0, training.epochs * steps_per_epoch)
    return _for_precision(keras.optimizers.Adam(rate, global_clipnorm=training.gradient_norm))


def build(training: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Build the optimizer of a classifier, with its schedule."""
    rate: float | WarmCosine = training.learning_rate
    if training.schedule == "cosine" or training.warmup_epochs:
        warmup_steps = round(training.warmup_epochs * steps_per_epoch)
        falling = training.epochs * steps_per_epoch - warmup_steps
        cosine_steps = falling if training.schedule == "cosine" else None
        rate = WarmCosine(training.learning_rate, warmup_steps, cosine_steps)
    decay = training.weight_decay or None
    if training.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=training.momentum, nesterov=training.nesterov, weight_decay=decay
        )
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=list(_UNDECAYED))
    return optimizer


def _for_precision(adam: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Add loss scaling in float16, where small gradients would underflow."""
    if keras.config.dtype_policy().name == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam
