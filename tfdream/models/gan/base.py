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


def strided_convolutions(filters: int, strided: int, most_doublings: int) -> list[tuple[int, int]]:
    """Return filters and stride of the convolutions of a discriminator, before that of the logits.

    Args:
      filters: filters of the first convolution; each further one doubles them, up to
        `most_doublings` times.
      strided: number of convolutions with stride 2; one with stride 1 follows.
      most_doublings: largest number of doublings.

    >>> strided_convolutions(64, strided=3, most_doublings=2)
    [(64, 2), (128, 2), (256, 2), (256, 1)]
    """
    strides = [2] * strided + [1]
    return [
        (filters * 2 ** min(index, most_doublings), stride) for index, stride in enumerate(strides)
    ]


class BidirectionalModel(keras.Model):
    """Two networks, one for each direction, as one model, so that one file holds their weights.

    Args:
      forward: network of the direction from the first domain to the second.
      backward: network of the direction from the second domain to the first.
    """

    def __init__(self, forward: keras.Model, backward: keras.Model) -> None:
        super().__init__()
        self.forward = forward
        self.backward = backward
        self.built = True
