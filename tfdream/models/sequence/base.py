"""Interface of sequence models: recurrent layers that predict the code of the next frame."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from tfdream.models.parts.recurrent import LSTM
from tfdream.signal.graphs import compiled

INITIAL_FRAMES = 64
"""Number of training frames that a model stores, so that generation can start from one of them."""

RecurrentState = tuple[tuple[tf.Tensor, tf.Tensor], ...]
"""Hidden and cell state of each recurrent layer, `[batch, units]` each."""


class DecoderState(NamedTuple):
    """State of a model between two generated frames."""

    code: tf.Tensor
    """Code of the last frame, `[batch, …]`; the recurrent layers have not processed it yet."""
    recurrent: RecurrentState
    """State of the recurrent layers after all frames before the last one."""


@dataclass(frozen=True)
class RecurrentSpec:
    """Parameters of the recurrent layers.

    Attributes:
      depth: number of LSTM layers.
      units: units of each layer.
      dropout: share of activations dropped after each layer in training.
      input_dropout: share of activations dropped before the first layer in training.
      skips: whether the output is the concatenation of the input and the outputs of all layers;
        otherwise it is the output of the last layer.
    """

    depth: int
    units: int
    dropout: float = 0.0
    input_dropout: float = 0.0
    skips: bool = False

    def output_features(self, input_features: int) -> int:
        """Return the number of output features.

        >>> RecurrentSpec(depth=2, units=50, skips=True).output_features(input_features=64)
        164
        """
        return input_features + self.depth * self.units if self.skips else self.units


class SequenceModel(keras.Model, abc.ABC):
    """Recurrent layers between the codes of frames and the distribution of the next code.

    Frames are float32 `[batch, frames, bands]` in [0, 1]. A code represents one frame: it is the
    frame itself, or a few integers. In training, the input is the sequence of true frames (teacher
    forcing, `mean_nll`), or the first frame alone (`free_running_nll`); in generation, it is the
    model's own output.

    Args:
      bands: values of a frame.
      features: values of a frame's embedding, the input of the first layer.
      spec: parameters of the recurrent layers.
    """

    temperature: ClassVar[float]
    """Default sampling temperature."""
    stochastic: ClassVar[bool]
    """Whether `sample` is random at temperatures above 0."""

    def __init__(self, bands: int, features: int, spec: RecurrentSpec) -> None:
        # Frames, and codes that are frames, are float32 in mixed precision, too; the layers have
        # their own types.
        super().__init__(name="sequence_model", dtype="float32")
        self.bands = bands
        self.skips = spec.skips
        self.output_features = spec.output_features(features)
        self.recurrent = [
            LSTM(spec.units, return_sequences=True, return_state=True, name=f"lstm{number}")
            for number in range(1, spec.depth + 1)
        ]
        for number, layer in enumerate(self.recurrent):
            layer.build((None, None, spec.units if number else features))
        self.activation_dtype = self.recurrent[0].compute_dtype
        self.dropout = layers.Dropout(spec.dropout, name="dropout")
        self.input_dropout = layers.Dropout(spec.input_dropout, name="input_dropout")
        self.initial_frames = self.add_weight(
            shape=(INITIAL_FRAMES, bands),
            initializer="zeros",
            trainable=False,
            name="initial_frames",
        )
        self.reference_db = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="reference_db"
        )

    @abc.abstractmethod
    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        """Convert frames to codes `[batch, frames, …]`."""

    @abc.abstractmethod
    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Convert codes `[…, code]` to frames `[…, bands]`."""

    @abc.abstractmethod
    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        """Convert codes to inputs of the first layer, float32 `[…, features]`."""

    @abc.abstractmethod
    def nll(self, activations: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """Return the negative log-likelihood of codes, or another loss for each frame.

        Args:
          activations: output of the recurrent layers for all frames before each one,
            `[batch, frames, output_features]`.
          codes: `[batch, frames, …]`.

        Returns:
          float32 `[batch, frames]`.
        """

    @abc.abstractmethod
    def sample(self, activations: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Sample the code of the next frame.

        Args:
          activations: output of the recurrent layers, `[…, output_features]`.
          temperature: float32 scalar; 0 selects the most likely code.
          seed: integers `[2]`.

        Returns:
          Codes `[…, code]`.
        """

    def adapt(self, frames: NDArray[Any], reference_db: float, seed: int) -> None:
        """Set the weights that are not trained by gradients from examples, before training.

        Args:
          frames: float `[clips, frames, bands]`.
          reference_db: level in dB of the value 1 in them.
          seed: seed of random choices.
        """
        places = np.random.default_rng(seed).integers(0, frames.shape[1], INITIAL_FRAMES)
        clips = np.linspace(0, len(frames), INITIAL_FRAMES, endpoint=False).astype(int)
        self.initial_frames.assign(frames[clips, places].astype(np.float32))
        self.reference_db.assign(reference_db)

    def call(self, frames: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Predict the most likely successor of each frame, given the frames before: same shape."""
        activations, _ = self._run_sequence(self.encode(frames), None, training)
        return self.decode(self.sample(activations, tf.constant(0.0), tf.constant([0, 0])))

    def mean_nll(self, frames: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the mean of `nll` over all frames but the first one: a scalar."""
        codes = self.encode(frames)
        activations, _ = self._run_sequence(codes[:, :-1], None, training)
        return tf.reduce_mean(self.nll(activations, codes[:, 1:]))

    def free_running_nll(self, frames: tf.Tensor) -> tf.Tensor:
        """Return the mean of `nll` if only the first frame is given: a scalar.

        The output of each step is the input of the next one, as in generation at temperature 0, and
        the gradient flows through all steps. Dropout is not applied.

        Args:
          frames: `[batch, frames, bands]`; the number of frames is static.
        """
        codes = self.encode(frames)
        steps = codes.shape[1] - 1
        initial = self._initial_state(tf.shape(codes)[0])
        greedy, unused_seed = tf.constant(0.0), tf.constant([0, 0])

        def step(
            done: tf.Tensor, outputs: tf.TensorArray, code: tf.Tensor, state: RecurrentState
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor, RecurrentState]:
            activations, state = self._run_step(code, state)
            code = self.sample(activations, greedy, unused_seed)
            return done + 1, outputs.write(done, activations), code, state

        outputs = tf.TensorArray(
            self.activation_dtype, steps, element_shape=[codes.shape[0], self.output_features]
        )
        _, outputs, _, _ = tf.while_loop(
            lambda done, *_: done < steps,
            step,
            (tf.constant(0), outputs, codes[:, 0], initial),
            maximum_iterations=steps,
        )
        activations = tf.transpose(outputs.stack(), [1, 0, 2])
        return tf.reduce_mean(self.nll(activations, codes[:, 1:]))

    def encode_prompt(self, frames: tf.Tensor) -> DecoderState:
        """Return the state after a prompt of one or more frames."""
        codes = self.encode(frames)
        state = self._initial_state(tf.shape(codes)[0])
        if codes.shape[1] != 1:  # recurrent layers do not accept an empty sequence
            _, state = self._run_sequence(codes[:, :-1], state, False)
        return DecoderState(codes[:, -1], state)

    def generate_frames(
        self,
        decoder: DecoderState,
        first: tf.Tensor,
        count: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, DecoderState]:
        """Generate frames one by one, each from all frames before it.

        The frames do not depend on how many of them one call generates.

        Args:
          decoder: state after the frames before.
          first: number of the first frame since the start of the generation, int32.
          count: number of frames to generate, int32.
          temperature: see `sample`.
          seed: int64.

        Returns:
          Frames `[batch, count, bands]`, and the state after them.
        """
        codes = tf.TensorArray(decoder.code.dtype, count, element_shape=decoder.code.shape)

        def generate(
            done: tf.Tensor, codes: tf.TensorArray, code: tf.Tensor, state: RecurrentState
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor, RecurrentState]:
            activations, state = self._run_step(code, state)
            frame_number = tf.cast(first + done, seed.dtype)
            code = self.sample(activations, temperature, tf.stack([seed, frame_number]))
            return done + 1, codes.write(done, code), code, state

        _, codes, code, state = tf.while_loop(
            lambda done, *_: done < count, generate, (tf.constant(0), codes, *decoder)
        )
        frames = self.decode(tf.experimental.numpy.moveaxis(codes.stack(), 0, 1))
        return tf.ensure_shape(frames, [None, None, self.bands]), DecoderState(code, state)

    @cached_property
    def compiled_encode_prompt(self) -> Callable[..., DecoderState]:
        """`encode_prompt` as a graph, built once for each shape of a prompt."""
        return compiled(self.encode_prompt, any_shape=False)

    @cached_property
    def compiled_generate_frames(self) -> Callable[..., tuple[tf.Tensor, DecoderState]]:
        """`generate_frames` as a graph, built once for all numbers of frames."""
        return compiled(self.generate_frames, any_shape=False)

    def _initial_state(self, batch: tf.Tensor) -> RecurrentState:
        zeros = [tf.zeros([batch, layer.units], self.activation_dtype) for layer in self.recurrent]
        return tuple((zero, zero) for zero in zeros)

    def _run_sequence(
        self, codes: tf.Tensor, state: RecurrentState | None, training: bool
    ) -> tuple[tf.Tensor, RecurrentState]:
        outputs = [self.input_dropout(self.embed(codes), training=training)]
        states = []
        for number, layer in enumerate(self.recurrent):
            initial_state = list(state[number]) if state else None
            x, *layer_state = layer(outputs[-1], initial_state=initial_state)
            states.append(tuple(layer_state))
            outputs.append(self.dropout(x, training=training))
        return self._combine(outputs), tuple(states)

    def _run_step(self, code: tf.Tensor, state: RecurrentState) -> tuple[tf.Tensor, RecurrentState]:
        outputs = [tf.cast(self.embed(code), self.activation_dtype)]
        states = []
        for layer, before in zip(self.recurrent, state, strict=True):
            x, layer_state = layer.cell(outputs[-1], list(before))
            states.append(tuple(layer_state))
            outputs.append(x)
        return self._combine(outputs), tuple(states)

    def _combine(self, outputs: list[tf.Tensor]) -> tf.Tensor:
        return tf.concat(outputs, axis=-1) if self.skips else outputs[-1]
