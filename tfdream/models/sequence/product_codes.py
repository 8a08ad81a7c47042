"""LSTM over frames in product codes: the next frame is sampled from a distribution, not averaged.

The mean of all possible next frames is not music: partials smear into noise, and a model that
receives its own means as input fades to the overall mean. Therefore a frame is quantized to a few
integers, each the index of an entry in a codebook for some principal components. The network
predicts the probability of each entry, given the frames before and the integers of this frame that
are already sampled. Each group of components is the mean of a cluster of similar ones of training
frames. The model's input is the code itself, so errors of encoding do not accumulate.

Source: Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", section II;
Graves, "Generating sequences with recurrent neural networks", section 2 (skip connections); van den
Oord, Kalchbrenner and Kavukcuoglu, "Pixel recurrent neural networks", section 3 (conditioning each
integer on those before).
"""

from dataclasses import dataclass
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import Field

from tfdream.config import Count, Share
from tfdream.models.sequence.base import RecurrentSpec, SequenceModel

# Frames and k-means iterations that the codebooks are computed from.
_EXAMPLES = 16384
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
    """Build the model.

    Args:
      input_shape: bands, frames and channels of an image.
      layers: LSTM layers.
      units: units of each layer.
      numbers: integers in the code of a frame.
      entries: entries in the codebook of each integer.
      width: units of the hidden layer before each integer.
      dropout: share of activations dropped after each LSTM layer.
      input_dropout: share of the last frame's embedding that is dropped, so that the network relies
        less on it.
    """
    return ProductCodes(
        input_shape[0],
        CodeSpec(numbers, entries, width),
        RecurrentSpec(layers, units, dropout, input_dropout, skips=True),
    )


@dataclass(frozen=True)
class CodeSpec:
    """Parameters of the codes of frames.

    Attributes:
      numbers: integers in the code of a frame.
      entries: entries in the codebook of each integer.
      width: units of the hidden layer before each integer.
    """

    numbers: int
    entries: int
    width: int


class ProductCodes(SequenceModel):
    """Predicts the probability of each entry of each codebook, one integer of a code after another.

    Args:
      bands: values of a frame.
      codes: parameters of the codes.
      spec: parameters of the recurrent layers.
    """

    # Measured (docs/results.md, "Generated music"): as tonal as the collection; at 0.7 too noisy.
    temperature = 0.5
    stochastic = True

    def __init__(self, bands: int, codes: CodeSpec, spec: RecurrentSpec) -> None:
        super().__init__(bands, bands, spec)
        self.numbers, self.entries = codes.numbers, codes.entries
        adapted = {"initializer": "zeros", "trainable": False}
        self.center = self.add_weight(shape=(bands,), name="center", **adapted)
        self.deviation = self.add_weight(
            shape=(bands,), initializer="ones", trainable=False, name="deviation"
        )
        self.codebooks = self.add_weight(
            shape=(self.numbers, self.entries, bands), name="codebooks", **adapted
        )
        self.basis = self.add_weight(
            shape=(bands, bands), initializer="identity", trainable=False, name="basis"
        )
        self.context = keras.layers.Dense(codes.width, name="context")
        self.context.build((None, self.output_features))
        self.prefix = keras.layers.Dense(codes.width, use_bias=False, name="prefix")
        self.prefix.build((None, bands))
        self.offsets = self.add_weight(
            shape=(self.numbers, codes.width), initializer="zeros", name="offsets"
        )
        self.logit_kernels = self.add_weight(
            shape=(self.numbers, codes.width, self.entries),
            initializer="glorot_uniform",
            name="logit_kernels",
        )
        self.built = True

    def adapt(self, frames: NDArray[Any], reference_db: float, seed: int) -> None:
        """Also compute principal components and codebooks.

        Components are assigned so that all integers carry about the same information (reverse
        water-filling).
        """
        super().adapt(frames, reference_db, seed)
        rng = np.random.default_rng(seed)
        flat = frames.reshape(-1, self.bands)
        chosen = rng.permutation(len(flat))[:_EXAMPLES]
        examples = flat[np.sort(chosen)].astype(np.float64)
        center = examples.mean(axis=0)
        variances, basis = np.linalg.eigh(np.cov((examples - center).T))
        variances, basis = np.maximum(variances[::-1], _SMALLEST_VARIANCE), basis[:, ::-1]
        components = (examples - center) @ basis
        codebooks = np.zeros(self.codebooks.shape)
        groups = _assign_components(variances, self.numbers, self.entries)
        for number, group in enumerate(groups):
            codebooks[number][:, group] = _codebook(components[:, group], self.entries, seed)
        self.center.assign(center)
        self.basis.assign(basis)
        self.deviation.assign(np.sqrt(variances))
        self.codebooks.assign(codebooks)

    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        components = tf.matmul(frames - self.center, self.basis)
        books = tf.convert_to_tensor(self.codebooks)
        # Components outside the codebook contribute the same distance to all of its entries.
        distances = tf.reduce_sum(books**2, axis=-1) - 2 * tf.einsum(
            "btc,nec->btne", components, books
        )
        return tf.argmin(distances, axis=-1, output_type=tf.int32)

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        frames = tf.tensordot(self._lookup(codes), tf.transpose(self.basis), 1) + self.center
        return tf.clip_by_value(frames, 0.0, 1.0)

    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        return self._lookup(codes) / self.deviation

    def nll(self, activations: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        # Projected for each entry of the codebooks: there are fewer entries than codes. The axis of
        # the integers is the first one, so that their products need no transposition.
        projected = tf.unstack(self.prefix(self.codebooks / self.deviation))
        by_number = tf.transpose(codes, [2, 0, 1])
        hidden = self.context(activations)
        offsets = tf.cast(self.offsets, hidden.dtype)
        activated = []
        for number, entries in enumerate(projected):
            activated.append(tf.nn.relu(hidden + offsets[number]))
            hidden += tf.gather(entries, by_number[number])
        logits = tf.einsum(
            "nbtw,nwe->nbte", tf.stack(activated), tf.cast(self.logit_kernels, hidden.dtype)
        )
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            by_number, tf.cast(logits, tf.float32)
        )
        return tf.reduce_mean(losses, axis=0)

    def sample(self, activations: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        hidden = self.context(activations)
        shape = tf.concat([[self.numbers], tf.shape(activations)[:-1], [self.entries]], axis=0)
        noise = temperature * _gumbel(shape, seed)
        offsets = tf.cast(self.offsets, hidden.dtype)
        kernels = tf.cast(self.logit_kernels, hidden.dtype)
        codes = []
        for number in range(self.numbers):
            activated = tf.nn.relu(hidden + offsets[number])
            logits = tf.cast(tf.tensordot(activated, kernels[number], 1), tf.float32)
            code = tf.argmax(logits + noise[number], axis=-1, output_type=tf.int32)
            hidden += self.prefix(tf.gather(self.codebooks[number], code) / self.deviation)
            codes.append(code)
        return tf.stack(codes, axis=-1)

    def _lookup(self, codes: tf.Tensor) -> tf.Tensor:
        """Return the sum of the selected codebook entries: components, float32 `[…, bands]`."""
        entries = tf.gather(self._flat(tf.convert_to_tensor(self.codebooks)), self._rows(codes))
        return tf.reduce_sum(entries, axis=-2)

    def _rows(self, codes: tf.Tensor) -> tf.Tensor:
        """Return the row of each entry in the flattened codebooks."""
        return codes + tf.range(self.numbers) * self.entries

    def _flat(self, values: tf.Tensor) -> tf.Tensor:
        """Reshape `[numbers, entries, …]` to `[numbers · entries, …]`."""
        return tf.reshape(values, [self.numbers * self.entries, -1])


def _assign_components(
    variances: NDArray[Any], numbers: int, entries: int
) -> list[NDArray[np.intp]]:
    """Return the components of each integer; components of least variance belong to none.

    >>> groups = _assign_components(np.array([16.0, 4.0, 4.0, 1e-9]), numbers=2, entries=8)
    >>> [group.tolist() for group in groups]
    [[0], [1, 2]]
    """
    target_bits = numbers * np.log2(entries)
    logarithms = np.log2(variances)  # levels of many bits are too small for float64
    low, high = logarithms[-1] - 2 * target_bits, logarithms[0]
    for _ in range(100):
        water_level = (low + high) / 2
        bits = np.maximum(0.5 * (logarithms - water_level), 0)
        low, high = (water_level, high) if bits.sum() > target_bits else (low, water_level)
    middles = np.cumsum(bits) - bits / 2
    owners = np.minimum((middles / np.log2(entries)).astype(int), numbers - 1)
    return [np.flatnonzero((owners == number) & (bits > 0)) for number in range(numbers)]


def _codebook(components: NDArray[Any], entries: int, seed: int) -> NDArray[np.float64]:
    """Return cluster centers `[entries, components]`; too few distinct examples are repeated."""
    from sklearn.cluster import KMeans

    if not components.shape[1]:
        return np.zeros((entries, 0))
    clusters = min(entries, len(np.unique(components, axis=0)))
    means = KMeans(clusters, n_init=1, max_iter=_ITERATIONS, random_state=seed).fit(components)
    return np.resize(means.cluster_centers_, (entries, components.shape[1]))


def _gumbel(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return Gumbel noise: argmax(logits + noise) samples from the softmax of the logits."""
    uniform = tf.random.stateless_uniform(shape, seed, minval=1e-20, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))
