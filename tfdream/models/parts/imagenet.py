"""Networks of `keras.applications`, and the conversion of gray images to their input."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers

from tfdream.errors import ModelError
from tfdream.io import archives

logger = logging.getLogger(__name__)

# Channel means of ImageNet in the order of the weights: blue, green, red.
_MEAN = (103.939, 116.779, 123.68)


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


def load(
    application: Callable[..., keras.Model], weights: str, input_tensor: keras.KerasTensor
) -> keras.Model:
    """Build a network of `keras.applications` without its dense layers.

    Args:
      application: function such as `keras.applications.VGG19`.
      weights: ``imagenet`` (downloaded by Keras), ``random``, or the path of a weights file.
      input_tensor: centered image, see `gray_to_bgr`.

    Raises:
      ModelError: if the weights cannot be loaded.
    """
    if weights not in ("imagenet", "random") and not Path(weights).is_file():
        raise ModelError(f"weights={weights} is neither a file nor 'imagenet' nor 'random'")
    if weights == "imagenet":
        logger.info("Keras downloads the weights of ImageNet on their first use")
    try:
        if weights not in ("imagenet", "random"):
            archives.check_hdf5(weights)
        return application(
            include_top=False,
            weights=None if weights == "random" else weights,
            input_tensor=input_tensor,
        )
    except Exception as error:
        # Keras raises a plain Exception if a download fails; only its context has a type.
        if not isinstance(error, OSError | ValueError | KeyError) and not isinstance(
            error.__context__, OSError
        ):
            raise
        reason = " ".join(str(error).split())
        raise ModelError(
            f"weights '{weights}' cannot be loaded ({reason}); "
            "give the path of a weights file, or use weights=random"
        ) from None
