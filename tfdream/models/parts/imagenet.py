"""Networks of `keras.applications`, and the conversion of gray images to their input."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pooch
from keras import layers

from tfdream.errors import ModelError, one_line
from tfdream.io import archives

logger = logging.getLogger(__name__)

# Channel means of ImageNet in the order of the weights: blue, green, red.
_MEAN = (103.939, 116.779, 123.68)
GRAY_MEAN = sum(_MEAN) / 3
"""Mean of ImageNet over all channels, for images with one channel."""


def gray_to_bgr(image: Any) -> Any:
    """Repeat a gray image to three channels and center it as `keras.applications` does.

    Args:
      image: `[batch, height, width, 1]` in [0, 1], or the same with three channels.

    Returns:
      `[batch, height, width, 3]`: 255 × gray minus ImageNet's mean of each channel.

    Raises:
      ValueError: if it has neither one nor three channels.
    """
    channels = image.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"the image has {channels} channels; use one or three")
    if channels == 1:
        image = layers.Concatenate(name="repeat")([image] * 3)
    return layers.Rescaling(255.0, offset=[-mean for mean in _MEAN], name="center")(image)


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights without dense layers, as Keras publishes it.

    Attributes:
      url: its address; the last part is its name.
      md5: its MD5 in hexadecimal, as `keras.applications` states it.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def cached(self) -> Path:
        """Path at which Keras stores the file after a download."""
        home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
        return Path(home) / "models" / self.name

    @property
    def remedy(self) -> str:
        """Instruction for obtaining the file, in one line."""
        return f"download {self.url} (MD5 {self.md5}) to {self.cached}, or give weights=FILE"

    def check(self, path: Path) -> None:
        """Check a file that has the published name.

        Raises:
          ValueError: if it has another hash.
        """
        md5 = pooch.file_hash(str(path), alg="md5")
        if md5 != self.md5:
            raise ValueError(f"'{path}' has the MD5 {md5} instead of {self.md5}")


def load(
    application: Callable[..., keras.Model],
    weights: str,
    input_tensor: keras.KerasTensor,
    published: PublishedWeights | None = None,
) -> keras.Model:
    """Build a network of `keras.applications` without its dense layers.

    Args:
      application: function such as `keras.applications.VGG19`.
      weights: ``imagenet`` (from Keras' cache, or downloaded by Keras), ``random``, or the path of
        a weights file, whose arrays must have the shapes of the network.
      input_tensor: centered image, see `gray_to_bgr`.
      published: Keras' file of ImageNet's weights; a file of this name must have its hash.

    Raises:
      ModelError: if the weights cannot be loaded.
    """
    if weights not in ("imagenet", "random") and not Path(weights).is_file():
        raise ModelError(f"weights={weights} is neither a file nor 'imagenet' nor 'random'")
    remedy = published.remedy if published else "give the path of a weights file"
    try:
        path = Path(weights)
        if weights == "imagenet" and published and published.cached.is_file():
            path = published.cached
        elif weights == "imagenet":
            logger.info("Keras downloads the weights of ImageNet on their first use")
            return application(include_top=False, weights=weights, input_tensor=input_tensor)
        if weights != "random" and published and path.name == published.name:
            published.check(path)
        network = application(include_top=False, weights=None, input_tensor=input_tensor)
        if weights != "random":
            archives.check_hdf5(path, {tuple(array.shape) for array in network.weights})
            network.load_weights(path)
        return network
    except Exception as error:
        # Keras raises a plain Exception if a download fails; only its context has a type.
        if not isinstance(error, OSError | ValueError | KeyError) and not isinstance(
            error.__context__, OSError
        ):
            raise
        reason = one_line(error)
        raise ModelError(
            f"weights '{weights}' cannot be loaded ({reason}); {remedy}, or use weights=random"
        ) from None
