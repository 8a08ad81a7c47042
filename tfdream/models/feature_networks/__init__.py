"""Feature networks: what style is read from without training anything here.

One module each, found by listing this folder, with one function ``build(input_shape, **options) ->
keras.Model`` on an image `[height, width, channels]`; its layers are named. The weights are random
by the option ``seed``, or somebody else's.
"""

import keras

from tfdream.config import FeatureNetworkConfig
from tfdream.models.registry import call_build, list_modules


def names() -> list[str]:
    """The feature networks that `build` knows."""
    return list_modules(__name__)


def build(config: FeatureNetworkConfig, input_shape: tuple[int, ...]) -> keras.Model:
    """Build a feature network.

    Args:
      config: its name and options.
      input_shape: of one image, without the batch.

    Raises:
      ConfigError: if the name or an option is unknown, or the input does not fit.
    """
    model: keras.Model = call_build(__name__, "network", config, input_shape)
    return model
