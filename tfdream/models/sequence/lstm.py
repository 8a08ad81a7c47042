"""LSTM as published: predicts each frame of a spectrogram from the frames before it.

Source: "On the Generation of Music", section 4. The output layer and the loss are not specified
there; here they are a dense layer with a sigmoid, and the mean squared error.
"""

import keras
import tensorflow as tf

from tfdream.config import Count
from tfdream.models.sequence.base import RecurrentSpec, SequenceModel


def build(
    input_shape: tuple[int, int, int],
    *,
    layers: Count = 2,
    units: Count = 50,
) -> SequenceModel:
    """Build the model.

    Args:
      input_shape: bands, frames and channels of an image.
      layers: LSTM layers; 2, 3 and 4 are published.
      units: units of each layer.
    """
    return LSTM(input_shape[0], RecurrentSpec(layers, units))


class LSTM(SequenceModel):
    """Predicts the mean of the next frame: a frame is its own code, and sampling is deterministic.

    Args:
      bands: values of a frame.
      spec: parameters of the recurrent layers.
    """

    temperature = 0.0
    stochastic = False

    def __init__(self, bands: int, spec: RecurrentSpec) -> None:
        super().__init__(bands, bands, spec)
        self.levels = keras.layers.Dense(bands, "sigmoid", dtype="float32", name="levels")
        self.levels.build((None, spec.units))
        self.built = True

    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        return frames

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        return codes

    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        return codes

    def nll(self, activations: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """Return the mean squared error: up to constants the NLL of a Gaussian."""
        return tf.reduce_mean((self.levels(activations) - codes) ** 2, axis=-1)

    def sample(self, activations: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return self.levels(activations)
