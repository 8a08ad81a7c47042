"""Softmax regression: one weight for each pixel and class.

Source: "On the Generation of Music", section 4, the benchmark of Lil Data.
"""

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Build the model; ``embedding`` is the flattened image.

    Args:
      input_shape: height, width and channels of the image.
      classes: number of labels.
    """
    inputs = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="embedding")(inputs)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(inputs, probabilities, name="softmax")
