"""Transfer networks: the timbre of a style for the notes of a content, in one pass.

Each module of this package has a function ``build(input_shape, **options) -> TransferNetwork``.
Modules are discovered by listing the package.
"""

from tfdream.config import ModelConfig
from tfdream.config.registry import list_modules
from tfdream.models.registry import call_build
from tfdream.models.transfer.base import Memory, TransferNetwork

__all__ = ["Memory", "TransferNetwork", "build", "names"]


def names() -> list[str]:
    """Return the names of the transfer networks.

    >>> names()
    ['attention']
    """
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...]) -> TransferNetwork:
    """Build a transfer network with fresh weights.

    Args:
      config: name and options.
      input_shape: bands, frames and channels (one) of an image.

    Raises:
      ConfigError: if the name or an option is unknown.

    >>> build(ModelConfig(name="attention"), (80, 345, 1)).bands
    80
    """
    network: TransferNetwork = call_build(__name__, "model", config, input_shape)
    return network
