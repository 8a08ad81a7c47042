"""Classifiers: one module each.

A module has one function ``build(input_shape, classes, **options) -> keras.Model``: a functional
model of named layers. Its last layers are ``embedding`` (features of the clip), ``logits`` and
``probabilities`` (float32).
"""

import keras

from tfdream.config import ModelConfig
from tfdream.models.registry import call_build, list_modules


def names() -> list[str]:
    """The architectures that `build` knows."""
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Build an architecture with fresh weights.

    Args:
      config: its name and options.
      input_shape: of one clip, without the batch.
      classes: number of labels.

    Raises:
      ConfigError: if the name or an option is unknown, or the input is too small for it.
    """
    model: keras.Model = call_build(__name__, "model", config, input_shape, classes)
    return model
