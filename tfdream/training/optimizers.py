"""Optimizers and learning rate schedules from configurations."""

import math
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from tfdream.config import (
    GenerationTrainingConfig,
    SupervisedTrainingConfig,
    TrainingConfig,
    TransferTrainingConfig,
    TranslationTrainingConfig,
)
from tfdream.training.adam import Adam

_UNDECAYED = ("bias", "beta", "gamma")
_TRANSFER_BETA_2 = 0.98
_PLATEAU_THRESHOLD = 1e-4
"""Relative decrease of the validation loss below which an epoch belongs to a plateau; PyTorch's."""


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
    decay_steps = round(training.decay_share * training.epochs) * steps_per_epoch
    if decay_steps:
        rate = LinearDecay(
            training.learning_rate, training.epochs * steps_per_epoch - decay_steps, decay_steps
        )
    adam = Adam(
        rate,
        beta_1=training.beta_1,
        use_ema=training.average_decay > 0,
        ema_momentum=training.average_decay,
    )
    return _for_precision(adam)


def build_for_generation(
    training: GenerationTrainingConfig, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Build the optimizer of a sequence model, with its schedule."""
    rate = _schedule(training, training.epochs * steps_per_epoch)
    return _for_precision(Adam(rate))


def build_for_transfer(
    training: TransferTrainingConfig, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Build the optimizer of a transfer network, with its schedule."""
    warmup_steps = round(training.warmup_epochs * steps_per_epoch)
    rate = _schedule(training, training.epochs * steps_per_epoch, warmup_steps)
    optimizer = Adam(
        rate,
        weight_decay=training.weight_decay or None,
        beta_2=_TRANSFER_BETA_2,
    )
    optimizer.exclude_from_weight_decay(var_names=list(_UNDECAYED))
    return _for_precision(optimizer)


def build(training: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Build the optimizer of a classifier, with its schedule."""
    warmup_steps = round(training.warmup_epochs * steps_per_epoch)
    rate = _schedule(training, training.epochs * steps_per_epoch, warmup_steps)
    decay = training.weight_decay or None
    if training.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=training.momentum, nesterov=training.nesterov, weight_decay=decay
        )
    else:
        optimizer = Adam(rate, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=list(_UNDECAYED))
    return optimizer


def plateau_rate(training: SupervisedTrainingConfig, losses: Iterable[float]) -> float:
    """Return the learning rate of the next epoch for ``schedule=plateau``.

    The rules are those of PyTorch's `ReduceLROnPlateau`.

    Args:
      training: first rate, patience and factor.
      losses: the validation losses of all epochs so far.

    >>> training = SupervisedTrainingConfig(schedule="plateau", validate_on="next")
    >>> [plateau_rate(training, [1.0, 0.5, 0.6, 0.7][:epochs]) for epochs in (0, 3, 4)]
    [0.001, 0.001, 0.0001]
    """
    rate, best, waited = training.learning_rate, math.inf, 0
    for loss in losses:
        waited += 1
        if loss < best * (1 - _PLATEAU_THRESHOLD):
            best, waited = loss, 0
        if waited > training.plateau_patience:
            rate, waited = rate * training.plateau_factor, 0
    return rate


def _schedule(
    training: SupervisedTrainingConfig, steps: int, warmup_steps: int = 0
) -> float | keras.optimizers.schedules.CosineDecay:
    """Return the learning rate: a linear warm-up, then constant or half a cosine down to 0.

    Source: Loshchilov and Hutter, "SGDR", equation 5, without restarts; Goyal et al., "Accurate,
    large minibatch SGD", section 2.2.
    """
    rate = training.learning_rate
    is_cosine = training.schedule == "cosine"
    if is_cosine:
        warmup_steps = min(warmup_steps, steps // 2)
    if not (is_cosine or warmup_steps):
        return rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=rate / warmup_steps if warmup_steps else rate,
        decay_steps=max(1, steps - warmup_steps),
        alpha=0.0 if is_cosine else 1.0,
        warmup_target=rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def _for_precision(adam: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Add loss scaling in float16, where small gradients would underflow."""
    if keras.config.dtype_policy().name == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam
