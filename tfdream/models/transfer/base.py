"""Interface of transfer networks: gains that give a content the timbre of a style."""

import abc
from typing import NamedTuple

import keras
import tensorflow as tf


class Memory(NamedTuple):
    """Encoded frames of a recording that the network attends to.

    Attributes:
      keys: float32 `[batch, keys, units]`.
      features: float32 `[batch, keys, units]`.
      levels: levels of the same frames, float32 `[batch, keys, bands]`.
    """

    keys: tf.Tensor
    features: tf.Tensor
    levels: tf.Tensor


class TransferNetwork(keras.Model, abc.ABC):
    """Predicts the gains that give a content the timbre of a style.

    Levels are float32 `[batch, frames, bands]`, in dB relative to the mean power of the recording;
    see `signal.timbre.normalize_power`.

    Args:
      bands: number of mel bands.
      context_frames: number of frames before and after a frame that its gains depend on, apart from
        the memories.
    """

    def __init__(self, bands: int, context_frames: int) -> None:
        # In bfloat16, levels would be rounded to steps of up to 0.5 dB.
        super().__init__(name="transfer_network", autocast=False)
        self.bands = bands
        self.context_frames = context_frames

    @abc.abstractmethod
    def encode(self, levels: tf.Tensor) -> tuple[tf.Tensor, Memory]:
        """Analyze a recording, or a part of it.

        Returns:
          Features of every frame `[batch, frames, units]`, and the memory of all frames.
        """

    @abc.abstractmethod
    def gains(
        self, levels: tf.Tensor, features: tf.Tensor, content: Memory, style: Memory
    ) -> tf.Tensor:
        """Return gains in dB, float32 `[batch, frames, bands]`, for frames of a content.

        Args:
          levels: of the frames.
          features: of the frames, as `encode` returns them.
          content: memory of the whole content.
          style: memory of the style.
        """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return the gains for the levels of a content and of a style, of any lengths."""
        content, style = inputs
        features, memory = self.encode(content)
        _, style_memory = self.encode(style)
        return self.gains(content, features, memory, style_memory)
