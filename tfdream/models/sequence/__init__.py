"""Networks that go on: given the frames of a picture so far, they make the next one, and the next.

One module each, found by listing this folder, with one function ``build(input_shape, **options) ->
Generator``. Training tells a generator every frame before the one that it has to say (teacher
forcing); running free, it hears what it said itself.
"""

import abc
from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfdream.config import ModelConfig
from tfdream.models.registry import call_build, list_modules

OPENINGS = 64
"""First frames that a generator keeps, to begin with one of them."""

State = tuple[tuple[tf.Tensor, tf.Tensor], ...]
"""What each recurrent layer remembers: two tensors float32 `[batch, units]`."""


class DecoderState(NamedTuple):
    """Where a generator is."""

    code: tf.Tensor
    """Of the last frame, `[batch, …]`."""
    state: State
    """After all frames before the last one."""


class SequenceModel(keras.Model, abc.ABC):
    """Recurrent layers between the codes of frames and what follows of them.

    Frames are float32 `[batch, frames, bands]` in [0, 1]. A code is what a generator writes a frame
    in: the frame itself, or a few whole numbers.

    Args:
      bands: of a frame.
      features: of what the first layer hears of a frame.
      depth: recurrent layers.
      units: of each.
      dropout: after each of them, in training.
      input_dropout: before the first one.
      skips: whether what the layers make is what all of them make, and what the first one heard,
        beside each other; without, what the last one makes.
    """

    temperature: ClassVar[float]
    """How much is left to chance unless somebody says otherwise."""
    random: ClassVar[bool]
    """Whether anything is."""

    def __init__(
        self,
        bands: int,
        features: int,
        depth: int,
        units: int,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        skips: bool = False,
    ) -> None:
        super().__init__(name="generator")
        self.bands = bands
        self.skips = skips
        self.heard_features = features + depth * units if skips else units
        self.recurrent = [
            layers.LSTM(units, return_sequences=True, return_state=True, name=f"lstm{number}")
            for number in range(1, depth + 1)
        ]
        for number, layer in enumerate(self.recurrent):
            layer.build((None, None, units if number else features))
        self.dropout = layers.Dropout(dropout, name="dropout")
        self.input_dropout = layers.Dropout(input_dropout, name="input_dropout")
        self.openings = self.add_weight(
            shape=(OPENINGS, bands), initializer="zeros", trainable=False, name="openings"
        )
        self.reference_db = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="reference_db"
        )

    @abc.abstractmethod
    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        """Frames → codes, `[batch, frames, …]`."""

    @abc.abstractmethod
    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Codes `[…, code]` → frames `[…, bands]`."""

    @abc.abstractmethod
    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        """Codes → what the first layer hears, float32 `[…, features]`."""

    @abc.abstractmethod
    def nll(self, heard: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """How far codes are from what was to be expected: the loss of each frame.

        Args:
          heard: what the layers make of all frames before each, `[batch, frames, units]`.
          codes: `[batch, frames, …]`.

        Returns:
          float32 `[batch, frames]`.
        """

    @abc.abstractmethod
    def draw(self, heard: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Say a frame.

        Args:
          heard: what the layers make of all frames before it, `[…, units]`.
          temperature: float32 scalar; 0 for the likeliest.
          seed: integers `[2]`, of what is left to chance.

        Returns:
          Codes `[…, code]`.
        """

    def adapt(self, frames: np.ndarray, reference_db: float, seed: int) -> None:
        """Take what is not learnt by gradients from examples, before training.

        Args:
          frames: float `[clips, frames, bands]`.
          reference_db: the level of 1 in them.
          seed: of what is random.
        """
        places = np.random.default_rng(seed).integers(0, frames.shape[1], OPENINGS)
        clips = np.linspace(0, len(frames), OPENINGS, endpoint=False).astype(int)
        self.openings.assign(frames[clips, places].astype(np.float32))
        self.reference_db.assign(reference_db)

    def call(self, frames: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What each frame is likeliest followed by, given those before it: the same shape."""
        heard, _ = self._hear(self.encode(frames), None, training)
        return self.decode(self.draw(heard, tf.constant(0.0), tf.constant([0, 0])))

    def loss_of(self, frames: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The mean surprise at every frame but the first: a scalar."""
        codes = self.encode(frames)
        heard, _ = self._hear(codes[:, :-1], None, training)
        return tf.reduce_mean(self.nll(heard, codes[:, 1:]))

    def encode_prompt(self, frames: tf.Tensor) -> DecoderState:
        """Where one is after some frames, of which there is at least one."""
        codes = self.encode(frames)
        state = self._silence(tf.shape(codes)[0])
        if codes.shape[1] != 1:  # recurrent layers take no empty sequence
            _, state = self._hear(codes[:, :-1], state, False)
        return DecoderState(codes[:, -1], state)

    def generate_frames(
        self,
        position: DecoderState,
        number: tf.Tensor,
        count: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, DecoderState]:
        """Say frame after frame, each from those said before.

        What is said does not depend on how many are asked for at a time.

        Args:
          position: where one is.
          number: of the first frame since the beginning, int32.
          count: of frames, int32.
          temperature: see `draw`.
          seed: int64.

        Returns:
          Frames `[batch, count, bands]`, and where one is then.
        """
        codes = tf.TensorArray(position.code.dtype, count, element_shape=position.code.shape)

        def say(
            done: tf.Tensor, codes: tf.TensorArray, code: tf.Tensor, state: State
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor, State]:
            heard, state = self._step(code, state)
            place = tf.cast(number + done, seed.dtype)
            code = self.draw(heard, temperature, tf.stack([seed, place]))
            return done + 1, codes.write(done, code), code, state

        _, codes, code, state = tf.while_loop(
            lambda done, *_: done < count, say, (tf.constant(0), codes, *position)
        )
        said = self.decode(tf.experimental.numpy.moveaxis(codes.stack(), 0, 1))
        return tf.ensure_shape(said, [None, None, self.bands]), DecoderState(code, state)

    def _silence(self, batch: tf.Tensor) -> State:
        zeros = [tf.zeros([batch, layer.units], self.compute_dtype) for layer in self.recurrent]
        return tuple((zero, zero) for zero in zeros)

    def _hear(
        self, codes: tf.Tensor, state: State | None, training: bool
    ) -> tuple[tf.Tensor, State]:
        made = [self.input_dropout(self.embed(codes), training=training)]
        after = []
        for number, layer in enumerate(self.recurrent):
            x, *own = layer(made[-1], initial_state=list(state[number]) if state else None)
            after.append(tuple(own))
            made.append(self.dropout(x, training=training))
        return self._beside(made), tuple(after)

    def _step(self, code: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        made = [self.embed(code)]
        after = []
        for layer, before in zip(self.recurrent, state, strict=True):
            x, own = layer.cell(made[-1], list(before))
            after.append(tuple(own))
            made.append(x)
        return self._beside(made), tuple(after)

    def _beside(self, made: list[tf.Tensor]) -> tf.Tensor:
        return tf.concat(made, axis=-1) if self.skips else made[-1]


def names() -> list[str]:
    """The generators that `build` knows."""
    return list_modules(__name__)


def build(config: ModelConfig, input_shape: tuple[int, ...]) -> SequenceModel:
    """Build a generator with fresh weights.

    Args:
      config: its name and options.
      input_shape: of one picture: bands, frames, and one channel.

    Raises:
      ConfigError: if the name or an option is unknown.
    """
    generator: SequenceModel = call_build(__name__, "model", config, input_shape)
    return generator
