"""Autoregressive models: predict the next frame of a spectrogram from the frames before it.

Each module of this package is a model, with a function ``build(input_shape, **options) ->
SequenceModel``. Modules are discovered by listing the package.
"""

from tfdream.config import ModelConfig
from tfdream.config.registry import list_modules
from tfdream.models.registry import call_build
from tfdream.models.sequence.base import DecoderState, RecurrentSpec, SequenceModel

__all__ = ["DecoderState", "RecurrentSpec", "SequenceModel", "build", "names"]


def names() -> list[str]:
    """Return the names of the sequence models.

    >>> names()
    ['lstm', 'product_codes']
    """
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...]) -> SequenceModel:
    """Build a sequence model with fresh weights.

    Args:
      config: name and options.
      input_shape: bands, frames and channels (one) of an image.

    Raises:
      ConfigError: if the name or an option is unknown.

    >>> build(ModelConfig(name="lstm", options={"units": 50}), (64, 100, 1)).output_features
    50
    """
    model: SequenceModel = call_build(__name__, "model", config, input_shape)
    return model
