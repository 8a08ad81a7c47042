"""VGG-19 without its dense layers, for images of any size.

Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition"; for spectrograms, "Dreaming in Music" and "On the Generation of Music".
"""

from pathlib import Path

import keras
from keras import ops

from tfdream.errors import ModelError

# The means of ImageNet in the order blue, green, red, which its weights were trained on.
_IMAGENET_MEAN = (103.939, 116.779, 123.68)


def build(
    input_shape: tuple[int, int, int], *, weights: str = "imagenet", seed: int = 0
) -> keras.Model:
    """Build it; its layers are ``block1_conv1`` … ``block5_conv4`` and the poolings.

    Args:
      input_shape: height, width and one channel, of grey values in [0, 1]; they are repeated to
        three channels, scaled to 255 and centred as for ImageNet. Other sizes are taken too.
      weights: ``imagenet`` (downloaded by Keras), ``random``, or the path of a weights file.
      seed: of random weights.

    Raises:
      ModelError: if the weights cannot be had.
    """
    image = keras.Input((None, None, input_shape[2]), name="image")
    x = ops.repeat(image, 3 // input_shape[2], axis=-1) * 255.0 - ops.array(_IMAGENET_MEAN)
    keras.utils.set_random_seed(seed)
    for layer in _vgg(weights).layers[1:]:
        # A layer called a second time would keep the output of its first call for `tap` to find.
        copy = type(layer).from_config(layer.get_config())
        x = copy(x)
        copy.set_weights(layer.get_weights())
    return keras.Model(image, x, name="vgg19")


def _vgg(weights: str) -> keras.Model:
    if weights not in ("imagenet", "random") and not Path(weights).is_file():
        raise ModelError(f"weights={weights} is neither a file nor 'imagenet' nor 'random'")
    chosen = None if weights == "random" else weights
    try:
        return keras.applications.VGG19(include_top=False, weights=chosen)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"VGG-19's weights '{weights}' cannot be loaded ({' '.join(str(error).split())}); "
            "give the path of a weights file, or weights=random"
        ) from None
