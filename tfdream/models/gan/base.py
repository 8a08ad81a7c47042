"""Networks of image-to-image translation with generative adversarial networks."""

from typing import NamedTuple

import keras


class GanNetworks(NamedTuple):
    """A generator, and the discriminator of its outputs.

    The generator maps images float32 `[batch, height, width, channels]` in [-1, 1] to images of the
    same shape and range. The discriminator returns float32 `[batch, …]`: one logit for each patch
    or for the whole image, high for real images.
    """

    generator: keras.Model
    discriminator: keras.Model


class BidirectionalModel(keras.Model):
    """Two networks, one for each direction, as one model, so that one file holds their weights.

    Args:
      forward: network of the direction from the first genre to the second.
      backward: network of the direction from the second genre to the first.
    """

    def __init__(self, forward: keras.Model, backward: keras.Model) -> None:
        super().__init__()
        self.forward = forward
        self.backward = backward
        self.built = True
