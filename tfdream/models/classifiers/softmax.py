"""Softmax regression: one weight for each pixel and class.

Source: "On the Generation of Music", section 4, the benchmark of Lil Data.
"""

import keras
from keras import layers

from tfdream.models.parts.outputs import add_outputs


def build(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Build the model; ``embedding`` is the flattened image.

    Args:
      input_shape: height, width and channels of the image.
      classes: number of labels.
    """
    inputs = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="embedding")(inputs)
    return keras.Model(inputs, add_outputs(x, classes), name="softmax")
