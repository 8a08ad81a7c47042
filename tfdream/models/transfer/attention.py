"""Attention from the frames of the content to frames of the style that play similar notes.

The network compares what is played, not how it sounds: a frame of the content attends to frames of
the style, and in the same way to frames of the content itself. The difference of the two mean
spectra is the change of timbre for this kind of note; a second network corrects it.

Source: attention as in Vaswani et al., "Attention is all you need", section 3.2; the rest is our
own.
"""

import math

import tensorflow as tf
from keras import layers

from tfdream.config import Count
from tfdream.errors import ConfigError
from tfdream.models.parts.frames import frame_blocks
from tfdream.models.transfer.base import Memory, TransferNetwork

_LEVEL_SCALE_DB = 25.0


class Attention(TransferNetwork):
    """Transfer network that attends from frames of the content to frames of the style.

    Args:
      bands: number of mel bands.
      units: channels of the encoder.
      heads: number of attention heads.
      encoder_blocks: residual blocks of the encoder.
      decoder_units: channels of the decoder.
      decoder_blocks: residual blocks of the decoder.
      kernel: frames of each convolution.
    """

    def __init__(
        self,
        bands: int,
        units: int,
        heads: int,
        encoder_blocks: int,
        decoder_units: int,
        decoder_blocks: int,
        kernel: int,
    ) -> None:
        super().__init__(bands, context_frames=decoder_blocks * (kernel // 2))
        self.heads = heads
        self.units = units
        self.encoder = frame_blocks(2 * bands, units, encoder_blocks, kernel, "encoder")
        self.query = _dense(units, units, "query")
        self.value = _dense(units, units, "value")
        self.mix = _dense(units, heads, "mix")
        decoder_input = 2 * units + (3 * heads + 3) * bands
        self.decoder = frame_blocks(decoder_input, decoder_units, decoder_blocks, kernel, "decoder")
        self.correction = _dense(decoder_units, bands, "correction", initializer="zeros")
        self.built = True

    def encode(self, levels: tf.Tensor) -> tuple[tf.Tensor, Memory]:
        mean = tf.reduce_mean(levels, axis=1, keepdims=True)
        relative = tf.concat([levels, levels - mean], axis=-1) / _LEVEL_SCALE_DB
        features = self.encoder(relative)
        return features, Memory(self.query(features), self.value(features), levels)

    def gains(
        self, levels: tf.Tensor, features: tf.Tensor, content: Memory, style: Memory
    ) -> tf.Tensor:
        query = self.query(features)
        own_levels, _ = self._attend(query, content)
        style_levels, style_features = self._attend(query, style)
        difference = style_levels - own_levels  # [batch, frames, heads, bands]
        weights = tf.cast(tf.nn.softmax(self.mix(features)), tf.float32)[..., tf.newaxis]
        expected = tf.reduce_sum(weights * difference, axis=2)
        means = [
            tf.broadcast_to(tf.reduce_mean(memory.levels, axis=1, keepdims=True), tf.shape(levels))
            for memory in (content, style)
        ]
        heads = [self._flat(each) for each in (difference, style_levels, own_levels)]
        all_levels = tf.concat([*heads, levels, *means], axis=-1) / _LEVEL_SCALE_DB
        all_levels = tf.cast(all_levels, features.dtype)
        decoder_input = tf.concat([features, style_features, all_levels], axis=-1)
        correction = self.correction(self.decoder(decoder_input))
        return expected + _LEVEL_SCALE_DB * tf.cast(correction, tf.float32)

    def _attend(self, query: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean levels `[batch, frames, heads, bands]` and features of attended frames."""
        split = [self._split(each) for each in (query, memory.keys, memory.features)]
        scores = tf.einsum("bqhc,bkhc->bhqk", split[0], split[1])
        weights = tf.nn.softmax(scores * (1 / math.sqrt(self.units / self.heads)))
        levels = tf.einsum("bhqk,bkl->bqhl", tf.cast(weights, tf.float32), memory.levels)
        return levels, self._flat(tf.einsum("bhqk,bkhc->bqhc", weights, split[2]))

    def _split(self, values: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(values)
        return tf.reshape(values, [shape[0], shape[1], self.heads, self.units // self.heads])

    def _flat(self, values: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(values)
        return tf.reshape(values, [shape[0], shape[1], values.shape[2] * values.shape[3]])


def build(
    input_shape: tuple[int, ...],
    *,
    units: Count = 96,
    heads: Count = 4,
    encoder_blocks: Count = 4,
    decoder_units: Count = 128,
    decoder_blocks: Count = 4,
    kernel: Count = 5,
) -> Attention:
    """Build the network; see `Attention`.

    Raises:
      ConfigError: if the units are not a multiple of the heads.
    """
    if units % heads:
        raise ConfigError(
            f"attention: units={units} is not a multiple of heads={heads}; use units="
            f"{units + -units % heads}"
        )
    bands = input_shape[0]
    return Attention(bands, units, heads, encoder_blocks, decoder_units, decoder_blocks, kernel)


def _dense(inputs: int, units: int, name: str, initializer: str = "glorot_uniform") -> layers.Dense:
    layer = layers.Dense(units, name=name, kernel_initializer=initializer)
    layer.build((None, None, inputs))
    return layer
