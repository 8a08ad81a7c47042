"""Networks of `keras.applications`, and what they expect of a gray image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers

from tfdream.errors import ModelError

# The means of ImageNet in the order blue, green, red, which its weights were trained on.
_MEAN = (103.939, 116.779, 123.68)


def gray_to_bgr(image: Any) -> Any:
    """Repeat a gray image to three channels and center it, as Keras does for VGG and ResNet.

    Args:
      image: `[batch, height, width, 1]` in [0, 1], or three channels already.

    Returns:
      `[batch, height, width, 3]`: 255 × gray, less ImageNet's mean of each channel.

    Raises:
      ValueError: if it has another number of channels.
    """
    channels = image.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"{channels} channels are neither one nor three")
    if channels == 1:
        image = layers.Concatenate(name="repeat")([image] * 3)
    return layers.Rescaling(255.0, offset=[-mean for mean in _MEAN], name="center")(image)


def load(application: Callable[..., keras.Model], weights: str, **arguments: Any) -> keras.Model:
    """Build one of `keras.applications`.

    Args:
      application: such as `keras.applications.VGG19`.
      weights: ``imagenet`` (downloaded by Keras), ``random``, or the path of a weights file.
      arguments: of the application.

    Raises:
      ModelError: if the weights cannot be had.
    """
    if weights not in ("imagenet", "random") and not Path(weights).is_file():
        raise ModelError(f"weights={weights} is neither a file nor 'imagenet' nor 'random'")
    with _Loading(weights):
        return application(
            include_top=False, weights=None if weights == "random" else weights, **arguments
        )


class _Loading:
    """Says of weights that cannot be had what to do instead.

    Keras raises a plain Exception where a download fails; only its context tells which.
    """

    def __init__(self, weights: str) -> None:
        self.weights = weights

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, OSError | ValueError | KeyError) or (
            error is not None and isinstance(error.__context__, OSError)
        ):
            reason = " ".join(str(error).split())
            raise ModelError(
                f"weights '{self.weights}' cannot be loaded ({reason}); "
                "give the path of a weights file, or weights=random"
            ) from None
