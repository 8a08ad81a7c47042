"""Classifiers.

Each module of this package has a function ``build(input_shape, classes, **options) ->
keras.Model``: a functional model of named layers. Its last layers are ``embedding`` (features of
the clip), ``logits`` and ``probabilities`` (float32). Modules are discovered by listing the
package.
"""

import keras

from tfdream.config import ModelConfig
from tfdream.config.registry import list_modules
from tfdream.models.registry import call_build


def names() -> list[str]:
    """Return the names of the architectures.

    >>> "lil_data" in names()
    True
    """
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Build an architecture with fresh weights.

    Args:
      config: name and options.
      input_shape: shape of one input, without the batch.
      classes: number of labels.

    Raises:
      ConfigError: if the name or an option is unknown, or the input is too small.

    >>> build(ModelConfig(name="softmax"), (16, 16, 1), classes=3).output_shape
    (None, 3)
    """
    model: keras.Model = call_build(__name__, "model", config, input_shape, classes)
    return model
