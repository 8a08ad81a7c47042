"""ResNet-18: a strided convolution and eight residual blocks of two convolutions.

Source: He et al., "Deep residual learning for image recognition", table 1; for spectrograms of
amplitude, phase or both, "Dreaming in Music", section III-B.
"""

from typing import Any

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.normalization import (
    PYTORCH_EPSILON,
    PYTORCH_MOMENTUM,
    batch_normalization,
)
from tfdream.models.parts.outputs import add_outputs

_STAGES = 4
_BLOCKS = 2


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: Count = 64,
    momentum: Share = PYTORCH_MOMENTUM,
) -> keras.Model:
    """Build the model.

    Convolutions are numbered along the main path, ``conv1`` … ``conv17``: conv1 is the strided
    convolution on the input, conv13 the last one at a sixteenth of the image's size. The
    convolution on a block's shortcut has the number of the block's first convolution:
    ``shortcut6``, ``shortcut10``, ``shortcut14``. Batch normalization follows each convolution
    (``norm1`` …), and the output of a block is ``block1`` … ``block8``.

    Args:
      input_shape: height, width and channels of the image; the weights do not depend on the size.
      classes: number of labels.
      width: filters of the first stage; the number doubles from stage to stage.
      momentum: momentum of the moving statistics of batch normalization.
    """

    normalize = batch_normalization(momentum, PYTORCH_EPSILON)
    image = keras.Input(input_shape, name="image")
    x = _convolve(image, width, 7, 2, "conv1")
    x = layers.ReLU(name="relu1")(normalize(x, "norm1"))
    x = layers.ZeroPadding2D(1, name="pad_pool1")(x)
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    number = 2
    for block in range(_STAGES * _BLOCKS):
        filters = width * 2 ** (block // _BLOCKS)
        stride = 2 if block and block % _BLOCKS == 0 else 1
        shortcut = x
        if x.shape[-1] != filters:
            shortcut = layers.Conv2D(filters, 1, stride, use_bias=False, name=f"shortcut{number}")(
                x
            )
            shortcut = normalize(shortcut, f"shortcut_norm{number}")
        x = normalize(_convolve(x, filters, 3, stride, f"conv{number}"), f"norm{number}")
        x = layers.ReLU(name=f"relu{number}")(x)
        number += 1
        x = normalize(_convolve(x, filters, 3, 1, f"conv{number}"), f"norm{number}")
        number += 1
        x = layers.Add(name=f"add{block + 1}")([x, shortcut])
        x = layers.ReLU(name=f"block{block + 1}")(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(image, add_outputs(x, classes), name="resnet18")


def _convolve(x: Any, filters: int, kernel_size: int, stride: int, name: str) -> Any:
    """Convolve with equal padding on all sides; Keras pads unequally if it strides."""
    if stride > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"pad_{name}")(x)
    return layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
