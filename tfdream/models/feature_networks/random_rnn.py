"""A recurrent layer and a linear one with random weights.

As published, the sequence runs over frequency bins, and the input of a step is the bin's values in
all frames; then the network accepts only the number of frames that it was built for. If the
sequence runs over time, a step is a frame, and the network accepts any number of frames.

Source: "Music generation using style transfer", the RNN and the BiLSTM.
"""

from typing import Literal

import keras
from keras import layers, ops

from tfdream.config import Count
from tfdream.models.parts.recurrent import LSTM


def build(
    input_shape: tuple[int, int, int],
    *,
    cell: Literal["rnn", "bilstm"] = "rnn",
    over: Literal["frequency", "time"] = "frequency",
    units: Count = 100,
    features: Count = 4096,
    seed: int = 0,
) -> keras.Model:
    """Build the network; its layers are ``recurrent`` and ``linear``.

    Args:
      input_shape: bins, frames and one channel.
      cell: simple RNN with hyperbolic tangent, or bidirectional LSTM.
      over: axis of the sequence.
      units: units of the recurrent layer in each direction.
      features: units of the linear layer.
      seed: seed of the weights, uniform in ±1/√(inputs of the layer) as in PyTorch.
    """
    bins, frames, _ = input_shape
    image = keras.Input((bins, frames if over == "frequency" else None, 1), name="image")
    sequence = image[..., 0] if over == "frequency" else ops.transpose(image[..., 0], (0, 2, 1))
    if cell == "rnn":
        recurrent = layers.SimpleRNN(
            units, return_sequences=True, name="recurrent", **_uniform(units, seed, recurrent=True)
        )
    else:
        # Without its own layer, the backward direction would have the seeds of the forward one.
        recurrent = layers.Bidirectional(
            _lstm(units, seed),
            backward_layer=_lstm(units, seed + 5, go_backwards=True),
            name="recurrent",
        )
    hidden = recurrent(sequence)
    linear = layers.Dense(
        features, name="linear", **_uniform(hidden.shape[-1], seed + 3, recurrent=False)
    )
    return keras.Model(image, linear(hidden), name=f"random_{cell}")


def _lstm(units: int, seed: int, go_backwards: bool = False) -> LSTM:
    return LSTM(
        units,
        return_sequences=True,
        unit_forget_bias=False,
        go_backwards=go_backwards,
        **_uniform(units, seed, recurrent=True),
    )


def _uniform(inputs: int, seed: int, recurrent: bool) -> dict[str, keras.initializers.Initializer]:
    """Return the initializer arguments of a layer."""
    names = ["kernel", "bias", *(["recurrent"] if recurrent else [])]
    limit = inputs**-0.5
    return {
        f"{name}_initializer": keras.initializers.RandomUniform(-limit, limit, seed=seed + number)
        for number, name in enumerate(names)
    }
