"""Objectives on the output of a classifier."""

from collections.abc import Sequence

import tensorflow as tf

from tfdream.errors import ConfigError, did_you_mean
from tfdream.synthesis.ascent.objectives.base import (
    LOGITS,
    Activations,
    Objective,
    Targets,
    quoted,
)


def class_logit(label: str, labels: Sequence[str]) -> Objective:
    """The logit of a class; a negative factor moves away from the class.

    The gradients of the probability and its logarithm vanish as the probability approaches 1;
    the gradient of the logit does not.

    Args:
      label: the class.
      labels: all labels of the network, in its order.

    Raises:
      ConfigError: if `label` is not one of them.
    """
    if label not in labels:
        raise ConfigError(
            f"class_logit({quoted(label)}): the network has no such label"
            f"{did_you_mean(label, labels)}; its labels are {', '.join(map(quoted, labels))}"
        )
    index = list(labels).index(label)

    def value(activations: Activations, targets: Targets) -> tf.Tensor:
        return tf.cast(activations[LOGITS], tf.float32)[:, index]

    return Objective(f"class_logit({quoted(label)})", frozenset({LOGITS}), value)
