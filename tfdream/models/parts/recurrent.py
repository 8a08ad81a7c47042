"""An LSTM layer whose gradient is computed for all time steps at once."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfdream")
class LSTM(keras.layers.LSTM):
    """Keras' LSTM with the same weights and outputs, and half of the time for a training step.

    On a CPU, Keras multiplies inputs and weights in every step, and TensorFlow differentiates the
    loop operation by operation. Here, every product that does not depend on the step before is one
    product for all steps, in the gradient as well. On a GPU, Keras uses cuDNN, and so does this
    layer. It has Keras' default activations and no dropout of its own.

    >>> layer = LSTM(3, return_sequences=True)
    >>> layer(tf.zeros([2, 5, 4])).shape
    TensorShape([2, 5, 3])
    """

    def inner_loop(
        self,
        sequences: tf.Tensor,
        initial_state: Any,
        mask: tf.Tensor | None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Apply the layer to `[batch, steps, features]`; see `keras.layers.RNN`."""
        if mask is not None or tf.config.list_logical_devices("GPU"):
            outputs: tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]] = super().inner_loop(
                sequences, initial_state, mask, training
            )
            return outputs
        inputs = tf.transpose(sequences, [1, 0, 2])
        if self.go_backwards:
            inputs = tf.reverse(inputs, [0])
        weights = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        kernel, recurrent_kernel, bias = (
            _gates_first(tf.cast(weight, inputs.dtype)) for weight in weights
        )
        gates = tf.tensordot(inputs, kernel, 1) + bias
        hidden, last_hidden, last_cell = lstm(gates, recurrent_kernel, *initial_state)
        by_sequence = tf.transpose(hidden, [1, 0, 2])
        return last_hidden, by_sequence, [last_hidden, last_cell]


_Gradients = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]


@tf.custom_gradient
def lstm(
    gates: tf.Tensor, recurrent_kernel: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor
) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], _Gradients]:
    """Run an LSTM over sequences whose inputs have been multiplied by its weights.

    The last axis of `gates` and `recurrent_kernel` has the input gate, the forget gate, the output
    gate and the candidate of the cell state, in this order.

    Args:
      gates: share of the inputs and of the bias in the gates, float `[steps, batch, 4 · units]`.
      recurrent_kernel: `[units, 4 · units]`.
      hidden: initial hidden state, `[batch, units]`.
      cell: initial cell state, `[batch, units]`.

    Returns:
      The hidden state after each step, `[steps, batch, units]`, and the hidden and the cell state
      after the last one. (TensorFlow removes the second part, the function of the gradients.)

    Source: Greff et al., "LSTM: a search space odyssey", sections II-B and II-C, without peepholes.
    """
    steps, units = tf.shape(gates)[0], hidden.shape[-1]

    def step(
        number: tf.Tensor,
        hidden: tf.Tensor,
        cell: tf.Tensor,
        *written: tf.TensorArray,
    ) -> tuple[Any, ...]:
        total = tf.gather(gates, number) + tf.matmul(hidden, recurrent_kernel)
        opened = tf.sigmoid(total[:, : 3 * units])
        entering, staying, leaving = tf.split(opened, 3, axis=1)
        cell = staying * cell + entering * tf.tanh(total[:, 3 * units :])
        hidden = leaving * tf.tanh(cell)
        values = (hidden, cell, total)
        arrays = [array.write(number, x) for array, x in zip(written, values, strict=True)]
        return number + 1, hidden, cell, *arrays

    state = (tf.constant(0), hidden, cell)
    widths = (units, units, 4 * units)
    arrays = [_array(gates, steps, width) for width in widths]
    _, last_hidden, last_cell, *arrays = tf.while_loop(
        lambda number, *_: number < steps, step, (*state, *arrays), maximum_iterations=steps
    )
    all_hidden, all_cells, all_gates = (
        tf.ensure_shape(array.stack(), [*gates.shape[:2], width])
        for array, width in zip(arrays, widths, strict=True)
    )

    def gradients(
        of_hidden: tf.Tensor, of_last_hidden: tf.Tensor, of_last_cell: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        hidden_before = tf.concat([hidden[tf.newaxis], all_hidden[:-1]], axis=0)
        cells_before = tf.concat([cell[tf.newaxis], all_cells[:-1]], axis=0)
        opened = tf.sigmoid(all_gates[..., : 3 * units])
        entering, staying, leaving = tf.split(opened, 3, axis=2)
        candidate, squashed = tf.tanh(all_gates[..., 3 * units :]), tf.tanh(all_cells)
        # Derivatives of the cell state (of the hidden state for the output gate) by each gate, and
        # of the hidden state by the cell state.
        by_gate = tf.concat(
            [
                candidate * entering * (1 - entering),
                cells_before * staying * (1 - staying),
                squashed * leaving * (1 - leaving),
                entering * (1 - candidate**2),
            ],
            axis=2,
        )
        by_cell = leaving * (1 - squashed**2)
        transposed = tf.transpose(recurrent_kernel)

        def step_back(
            number: tf.Tensor, of_state: tf.Tensor, of_cell: tf.Tensor, written: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
            of_state += tf.gather(of_hidden, number)
            of_cell += of_state * tf.gather(by_cell, number)
            sources = tf.concat([of_cell, of_cell, of_state, of_cell], axis=1)
            of_gates = sources * tf.gather(by_gate, number)
            of_cell *= tf.gather(staying, number)
            written = written.write(number, of_gates)
            return number - 1, tf.matmul(of_gates, transposed), of_cell, written

        _, of_first_hidden, of_first_cell, written = tf.while_loop(
            lambda number, *_: number >= 0,
            step_back,
            (steps - 1, of_last_hidden, of_last_cell, _array(gates, steps, 4 * units)),
            maximum_iterations=steps,
        )
        of_gates = tf.ensure_shape(written.stack(), gates.shape)
        of_kernel = tf.tensordot(hidden_before, of_gates, [[0, 1], [0, 1]])
        return of_gates, of_kernel, of_first_hidden, of_first_cell

    return (all_hidden, last_hidden, last_cell), gradients


def _array(like: tf.Tensor, steps: tf.Tensor, width: int) -> tf.TensorArray:
    """Return an array of `steps` tensors `[batch, width]`."""
    return tf.TensorArray(like.dtype, steps, element_shape=[like.shape[1], width])


def _gates_first(weights: tf.Tensor) -> tf.Tensor:
    """Move the candidate, which is the third part of the last axis in Keras, to its end."""
    entering, staying, candidate, leaving = tf.split(weights, 4, axis=-1)
    return tf.concat([entering, staying, leaving, candidate], axis=-1)
