"""LSTM over frames in product codes: what may follow is drawn, never averaged.

The mean of all that may follow is no music: partials smear into noise, and what hears its own means
fades to the mean of everything. So a frame is written in a few whole numbers, each an entry of a
codebook for some principal components, and the network says how likely each entry is, given the
frames before and the numbers of this frame so far. Whatever is drawn is a frame like those of
the examples, and a frame that was drawn is heard exactly as one that was analysed, so that nothing
drifts in the long run.

Source: Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", section II;
Graves, "Generating sequences with recurrent neural networks", section 2 (skip connections); van den
Oord, Kalchbrenner and Kavukcuoglu, "Pixel recurrent neural networks", section 3 (one number after
the other).
"""

from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from tfdream.config import Count, Share
from tfdream.models.sequence import SequenceModel

_ADAPTED_TO = 16384
_ITERATIONS = 15
_SMALLEST_VARIANCE = 1e-12


def build(
    input_shape: tuple[int, int, int],
    *,
    layers: Count = 1,
    units: Count = 256,
    numbers: Count = 12,
    entries: Annotated[int, Field(ge=2)] = 128,
    width: Count = 128,
    dropout: Share = 0.2,
    input_dropout: Share = 0.1,
) -> SequenceModel:
    """Build it.

    Args:
      input_shape: bands, frames and channels of a picture.
      layers: LSTM layers.
      units: of each.
      numbers: that a frame is written in.
      entries: of the codebook of each number.
      width: of the hidden layer before each number.
      dropout: after each LSTM layer.
      input_dropout: of what is heard of the last frame, so that it is not relied on too much.
    """
    return ProductCodes(
        input_shape[0],
        (numbers, entries, width),
        depth=layers,
        units=units,
        dropout=dropout,
        input_dropout=input_dropout,
    )


class ProductCodes(SequenceModel):
    """Says how likely each entry of each codebook is, one number of a frame after the other.

    Args:
      bands: of a frame.
      sizes: numbers of a frame, entries of a codebook, width of the hidden layer.
      **recurrent: see `SequenceModel`.
    """

    # Measured (docs/results.md, "Generated music"): as tonal as the collection; at 0.7 too noisy.
    temperature = 0.5
    random = True

    def __init__(self, bands: int, sizes: tuple[int, int, int], **recurrent: Any) -> None:
        super().__init__(bands, bands, skips=True, **recurrent)
        self.numbers, self.entries, width = sizes
        known = {"initializer": "zeros", "trainable": False}
        self.center = self.add_weight(shape=(bands,), name="center", **known)
        self.spread = self.add_weight(
            shape=(bands,), initializer="ones", trainable=False, name="spread"
        )
        self.codebooks = self.add_weight(
            shape=(self.numbers, self.entries, bands), name="codebooks", **known
        )
        self.basis = self.add_weight(
            shape=(bands, bands), initializer="identity", trainable=False, name="basis"
        )
        self.context = keras.layers.Dense(width, name="context")
        self.context.build((None, self.heard_features))
        self.so_far = keras.layers.Dense(width, use_bias=False, name="so_far")
        self.so_far.build((None, bands))
        self.offsets = self.add_weight(
            shape=(self.numbers, width), initializer="zeros", name="offsets"
        )
        self.likely = self.add_weight(
            shape=(self.numbers, width, self.entries), initializer="glorot_uniform", name="likely"
        )
        self.built = True

    def adapt(self, frames: np.ndarray, reference_db: float, seed: int) -> None:
        """Also find principal components and codebooks.

        Components are dealt out so that every number tells about as much (reverse water-filling).
        """
        super().adapt(frames, reference_db, seed)
        rng = np.random.default_rng(seed)
        every = frames.reshape(-1, self.bands)
        chosen = rng.permutation(len(every))[:_ADAPTED_TO]
        examples = every[np.sort(chosen)].astype(np.float64)
        center = examples.mean(axis=0)
        variances, basis = np.linalg.eigh(np.cov((examples - center).T))
        variances, basis = np.maximum(variances[::-1], _SMALLEST_VARIANCE), basis[:, ::-1]
        components = (examples - center) @ basis
        codebooks = np.zeros(self.codebooks.shape)
        for number, own in enumerate(_dealt(variances, self.numbers, self.entries)):
            codebooks[number][:, own] = _codebook(components[:, own], self.entries, seed)
        self.center.assign(center)
        self.basis.assign(basis)
        self.spread.assign(np.sqrt(variances))
        self.codebooks.assign(codebooks)

    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        components = tf.matmul(frames - self.center, self.basis)
        books = tf.convert_to_tensor(self.codebooks)
        # What lies outside of a codebook's components is the same for all of its entries.
        distances = tf.reduce_sum(books**2, axis=-1) - 2 * tf.einsum(
            "btc,nec->btne", components, books
        )
        return tf.argmin(distances, axis=-1, output_type=tf.int32)

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        frames = tf.tensordot(self._look_up(codes), tf.transpose(self.basis), 1) + self.center
        return tf.clip_by_value(frames, 0.0, 1.0)

    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        return self._look_up(codes) / self.spread

    def nll(self, heard: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        # Of every entry there is, which are fewer than those that are said.
        told = tf.gather(self._flat(self.so_far(self.codebooks / self.spread)), self._places(codes))
        before = tf.cumsum(told, axis=-2, exclusive=True)
        hidden = tf.nn.relu(self.context(heard)[..., tf.newaxis, :] + before + self.offsets)
        likely = tf.einsum("btnw,nwe->btne", hidden, tf.cast(self.likely, hidden.dtype))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(codes, tf.cast(likely, tf.float32))
        return tf.reduce_mean(losses, axis=-1)

    def draw(self, heard: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        hidden = self.context(heard)
        shape = tf.concat([[self.numbers], tf.shape(heard)[:-1], [self.entries]], axis=0)
        chance = temperature * _gumbel(shape, seed)
        codes = []
        for number in range(self.numbers):
            likely = tf.tensordot(tf.nn.relu(hidden + self.offsets[number]), self.likely[number], 1)
            code = tf.argmax(likely + chance[number], axis=-1, output_type=tf.int32)
            hidden += self.so_far(tf.gather(self.codebooks[number], code) / self.spread)
            codes.append(code)
        return tf.stack(codes, axis=-1)

    def _look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """The components that entries stand for, together: float32 `[…, bands]`."""
        entries = tf.gather(self._flat(tf.convert_to_tensor(self.codebooks)), self._places(codes))
        return tf.reduce_sum(entries, axis=-2)

    def _places(self, codes: tf.Tensor) -> tf.Tensor:
        return codes + tf.range(self.numbers) * self.entries

    def _flat(self, of_entries: tf.Tensor) -> tf.Tensor:
        """`[numbers, entries, …]` → `[numbers · entries, …]`."""
        return tf.reshape(of_entries, [self.numbers * self.entries, -1])


def _dealt(variances: np.ndarray, numbers: int, entries: int) -> list[np.ndarray]:
    """Which components each number is for; the last ones, below the water, are for none."""
    wanted = numbers * np.log2(entries)
    low, high = variances[-1] * 2.0 ** (-2 * wanted), variances[0]
    for _ in range(100):
        water = np.sqrt(low * high)
        bits = np.maximum(0.5 * np.log2(variances / water), 0)
        low, high = (water, high) if bits.sum() > wanted else (low, water)
    middles = np.cumsum(bits) - bits / 2
    turns = np.minimum((middles / np.log2(entries)).astype(int), numbers - 1)
    return [np.flatnonzero((turns == number) & (bits > 0)) for number in range(numbers)]


def _codebook(components: np.ndarray, entries: int, seed: int) -> np.ndarray:
    """Cluster centers `[entries, components]`; repeated, where there are too few examples."""
    from sklearn.cluster import KMeans

    if not components.shape[1]:
        return np.zeros((entries, 0))
    clusters = min(entries, len(np.unique(components, axis=0)))
    means = KMeans(clusters, n_init=1, max_iter=_ITERATIONS, random_state=seed).fit(components)
    return np.resize(means.cluster_centers_, (entries, components.shape[1]))


def _gumbel(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """What makes the largest sum with logits as likely as their softmax."""
    uniform = tf.random.stateless_uniform(shape, seed, minval=1e-20, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))
