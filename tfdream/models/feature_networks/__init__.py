"""Feature networks: networks that are not trained here, for the Gram matrices of style transfer.

Each module of this package has a function ``build(input_shape, **options) -> keras.Model`` on an
image `[height, width, channels]`; its layers are named. The weights are random, by the option
``seed``, or pretrained elsewhere. Modules are discovered by listing the package.
"""

import keras

from tfdream.config import FeatureNetworkConfig
from tfdream.config.registry import list_modules
from tfdream.models.registry import call_build


def names() -> list[str]:
    """Return the names of the feature networks.

    >>> names()
    ['random_conv1d', 'random_rnn', 'vgg19']
    """
    return list_modules(__name__)


def build(config: FeatureNetworkConfig, input_shape: tuple[int, ...]) -> keras.Model:
    """Build a feature network.

    Args:
      config: name and options.
      input_shape: shape of one image, without the batch.

    Raises:
      ConfigError: if the name or an option is unknown, or the input does not fit.
    """
    model: keras.Model = call_build(__name__, "network", config, input_shape)
    return model
