"""Generative adversarial networks that translate images.

Each module of this package but `base` has a function ``build(input_shape, **options) ->
GanNetworks``. Modules are discovered by listing the package.
"""

from tfdream.config import ModelConfig
from tfdream.config.registry import list_modules
from tfdream.models.gan.base import BidirectionalModel, GanNetworks
from tfdream.models.registry import call_build

__all__ = ["BidirectionalModel", "GanNetworks", "build", "names"]


def names() -> list[str]:
    """Return the names of the architectures.

    >>> names()
    ['cyclegan', 'small_cyclegan', 'temporal_cnn']
    """
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...]) -> GanNetworks:
    """Build a generator and a discriminator with fresh weights.

    Args:
      config: name and options.
      input_shape: shape of one image, without the batch.

    Raises:
      ConfigError: if the name or an option is unknown, or the image is too small.
    """
    networks: GanNetworks = call_build(__name__, "model", config, input_shape)
    return networks
