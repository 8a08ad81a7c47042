"""Parts of networks that convolve spectra along time; their channels are frequency bands."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers


def frame_blocks(inputs: int, units: int, count: int, kernel: int, name: str) -> keras.Model:
    """Return residual convolutions over time, float32 `[batch, frames, inputs]` → `[…, units]`.

    The output of each block has the name of its layer ``<name>_block<number>``.

    Args:
      inputs: channels of the input.
      units: channels of the convolutions.
      count: number of residual blocks.
      kernel: frames of each convolution.
      name: name of the model, and prefix of its layers.
    """
    tensor = keras.Input([None, inputs])
    return keras.Model(tensor, stack_blocks(tensor, units, count, kernel, name), name=name)


def stack_blocks(x: Any, units: int, count: int, kernel: int, name: str) -> Any:
    """Apply the residual convolutions of `frame_blocks` to a tensor."""
    x = layers.Dense(units, name=f"{name}_input")(x)
    for number in range(1, count + 1):
        y = layers.LayerNormalization(name=f"{name}_norm{number}")(x)
        y = layers.Conv1D(units, kernel, padding="same", name=f"{name}_conv{number}")(y)
        y = layers.Activation("gelu", name=f"{name}_gelu{number}")(y)
        y = layers.Dense(units, name=f"{name}_dense{number}")(y)
        x = layers.Add(name=f"{name}_block{number}")([x, y])
    return layers.LayerNormalization(name=f"{name}_output")(x)


@keras.saving.register_keras_serializable("tfdream")
class SpectralConvolution(layers.Conv1D):
    """A convolution over time whose kernel is divided by its largest singular value.

    The singular value is estimated by one power iteration in each training step.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks",
    algorithm 1.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights, and a vector for the power iteration."""
        super().build(input_shape)
        self.direction = self.add_weight(
            (self.filters,),
            "random_normal",
            trainable=False,
            aggregation="only_first_replica",
            name="direction",
        )

    # Those of convolutions save and load the kernel and the bias alone.
    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Save all variables."""
        layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Load all variables."""
        layers.Layer.load_own_variables(self, store)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Convolve float `[batch, frames, channels]`."""
        matrix = tf.reshape(tf.cast(self.kernel, tf.float32), [-1, self.filters])
        fixed = tf.stop_gradient(matrix)
        right = tf.convert_to_tensor(self.direction)
        left = tf.math.l2_normalize(tf.linalg.matvec(fixed, right))
        if training:
            right = tf.linalg.matvec(fixed, left, transpose_a=True)
            self.direction.assign(tf.math.l2_normalize(right))
            left = tf.math.l2_normalize(tf.linalg.matvec(fixed, right))
        right = tf.math.l2_normalize(tf.linalg.matvec(fixed, left, transpose_a=True))
        norm = tf.tensordot(left, tf.linalg.matvec(matrix, right), 1)
        kernel = tf.cast(self.kernel, inputs.dtype) / tf.cast(norm, inputs.dtype)
        outputs = tf.nn.conv1d(inputs, kernel, self.strides, self.padding.upper())
        if self.use_bias:
            outputs += tf.cast(self.bias, outputs.dtype)
        return self.activation(outputs)
