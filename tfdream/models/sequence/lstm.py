"""LSTM as published: from one frame of a spectrogram to all that follow.

Source: "On the Generation of Music", section 4. It leaves open how levels leave the LSTM, and what
it is fitted by: here a dense layer with a sigmoid, and the mean squared error.
"""

from typing import Annotated

import keras
import tensorflow as tf
from pydantic import Field

from tfdream.models.sequence import SequenceModel


def build(
    input_shape: tuple[int, int, int],
    *,
    layers: Annotated[int, Field(ge=1)] = 2,
    units: Annotated[int, Field(ge=1)] = 50,
) -> SequenceModel:
    """Build it.

    Args:
      input_shape: bands, frames and channels of a picture.
      layers: LSTM layers; 2, 3 and 4 are published.
      units: of each.
    """
    return LSTM(input_shape[0], layers, units)


class LSTM(SequenceModel):
    """Says the mean of what may follow: a frame is its own code, and nothing is left to chance."""

    temperature = 0.0
    random = False

    def __init__(self, bands: int, depth: int, units: int) -> None:
        super().__init__(bands, bands, depth, units)
        self.levels = keras.layers.Dense(bands, "sigmoid", dtype="float32", name="levels")
        self.levels.build((None, units))
        self.built = True

    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        return frames

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        return codes

    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        return codes

    def nll(self, heard: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean((self.levels(heard) - codes) ** 2, axis=-1)

    def draw(self, heard: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.levels(heard)
