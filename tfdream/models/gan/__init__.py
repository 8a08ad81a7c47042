"""Networks that translate images: a generator, and a discriminator that judges what it makes.

One module each, found by listing this folder, with one function ``build(input_shape, **options) ->
Pair``. A generator takes images float32 `[batch, height, width, channels]` in [-1, 1] and gives
such; a discriminator gives `[batch, …]`, one judgement for each patch or for the image, without the
sigmoid if it has one: what is real is high.
"""

from typing import NamedTuple

import keras

from tfdream.config import ModelConfig
from tfdream.models.registry import call_build, list_modules


class GanNetworks(NamedTuple):
    """A generator, and the discriminator of what it makes."""

    generator: keras.Model
    discriminator: keras.Model


def names() -> list[str]:
    """The pairs that `build` knows."""
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...]) -> GanNetworks:
    """Build a pair with fresh weights.

    Args:
      config: its name and options.
      input_shape: of one image, without the batch.

    Raises:
      ConfigError: if the name or an option is unknown, or the image is too small.
    """
    pair: GanNetworks = call_build(__name__, "model", config, input_shape)
    return pair


class BidirectionalModel(keras.Model):
    """The networks of both directions as one model, so that their weights lie in one file.

    Args:
      forward: from the first genre to the second.
      backward: from the second to the first.
    """

    def __init__(self, forward: keras.Model, backward: keras.Model) -> None:
        super().__init__()
        self.forward = forward
        self.backward = backward
        self.built = True
