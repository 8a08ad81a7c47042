"""Networks with fewer features: the same distances and gradients as the original."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfdream.models.freeze import freeze
from tfdream.models.inspect import tap
from tfdream.models.reduce import reduce_features
from tfdream.synthesis.ascent.gram import GramMatrix


def network(last, shape=(12, 3)):
    frames = keras.Input(shape)
    return keras.Model(frames, last(layers.Dense(3, activation="tanh")(frames)))


def image(frames=12, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.standard_normal((1, frames, 3)).astype(np.float32))


def distance_and_gradient(model, seed=1):
    """Return the distance of Gram matrices of two images, and its gradient at the first one."""
    target = GramMatrix.from_tiles([model(image(seed=seed))], "channels")
    x = image()
    with tf.GradientTape() as tape:
        tape.watch(x)
        distance = target.distance(model(x))
    return distance.numpy(), tape.gradient(distance, x).numpy()


@pytest.mark.parametrize(
    ("last", "features"),
    [
        (layers.Conv1D(40, 3, padding="same", name="last"), 10),
        (layers.Conv1D(40, 4, padding="same", use_bias=False, name="last"), 12),
        (layers.Conv1D(40, 3, name="last"), 10),
        (layers.Conv1D(40, 1, name="last"), 4),
        (layers.Dense(40, name="last"), 4),
        (layers.Dense(40, use_bias=False, name="last"), 3),
    ],
)
def test_distances_and_gradients_are_those_of_the_original(last, features):
    model = network(last)
    if last.use_bias:
        last.bias.assign(np.random.default_rng(2).standard_normal(40))
    reduced = freeze(tap(reduce_features(model), ["last"]))
    assert reduced.output["last"].shape[-1] == features
    for ours, original in zip(
        distance_and_gradient(lambda x: reduced(x)["last"]),
        distance_and_gradient(model),
        strict=True,
    ):
        np.testing.assert_allclose(ours, original, rtol=1e-3, atol=1e-4 * np.abs(original).max())


@pytest.mark.parametrize(
    "last",
    [
        layers.Conv1D(9, 3, name="last"),  # fewer features than inputs
        layers.Conv1D(40, 3, activation="relu", name="last"),
        layers.Conv1D(40, 3, strides=2, name="last"),
        layers.Conv1D(40, 3, padding="causal", name="last"),
        layers.Dense(40, activation="softmax", name="last"),
        layers.ReLU(name="last"),
    ],
)
def test_other_layers_remain(last):
    model = network(last)
    assert reduce_features(model) is model


def test_a_reduced_network_accepts_any_number_of_frames():
    reduced = reduce_features(network(layers.Conv1D(40, 3, padding="same"), shape=(None, 3)))
    assert reduced(image(frames=7)).shape == (1, 7, 10)
