"""Feature networks: what style is read from without training anything here.

One module each, found by listing this folder, with one function ``build(input_shape, **options) ->
keras.Model`` on an image `[height, width, channels]`; its layers are named. The weights are random
by the option ``seed``, or somebody else's.
"""

import importlib
import pkgutil

import keras

from tfdream.config import FeatureNetworkConfig
from tfdream.errors import ConfigError
from tfdream.models import call_build


def names() -> list[str]:
    """The feature networks that `build` knows."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def build(config: FeatureNetworkConfig, input_shape: tuple[int, ...]) -> keras.Model:
    """Build a feature network.

    Args:
      config: its name and options.
      input_shape: of one image, without the batch.

    Raises:
      ConfigError: if the name or an option is unknown, or the input does not fit.
    """
    if config.name not in names():
        raise ConfigError(f"network.name={config.name} is not one of: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{config.name}")
    return call_build(module, config.options, input_shape)
