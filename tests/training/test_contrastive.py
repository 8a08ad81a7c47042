import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfdream.training.contrastive import ContrastiveLoss

SHAPE = (6, 5, 1)


@pytest.fixture(scope="module")
def loss():
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE)
    features = layers.Conv2D(3, 1, name="features")(image)
    return ContrastiveLoss(keras.Model(image, layers.Conv2D(1, 1)(features)), ["features"])


def images(seed):
    return tf.constant(np.random.default_rng(seed).normal(size=(2, *SHAPE)), tf.float32)


def published(loss, real, translated):
    """Compute Park et al., equation 3, for all positions of an image."""

    def features(batch):
        (found,) = tf.nest.flatten(loss.encoder(batch))
        projected = np.asarray(loss.projections[0](tf.reshape(found, [2, -1, 3])), np.float64)
        return projected / np.linalg.norm(projected, axis=-1, keepdims=True)

    keys, queries = features(real), features(translated)
    losses = []
    for own_keys, own_queries in zip(keys, queries, strict=True):
        scores = np.exp(own_queries @ own_keys.T / 0.07)
        losses.append(-np.log(np.diag(scores) / scores.sum(axis=1)))
    return np.mean(losses)


def test_the_loss_is_the_published_one(loss):
    real, translated = images(0), images(1)
    found = float(loss.compare(real, translated, tf.constant([0, 0])))
    assert found == pytest.approx(published(loss, real, translated), rel=1e-4)


def test_the_gradient_reaches_the_translation_and_not_the_input(loss):
    real, translated = images(0), images(1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, translated])
        found = loss.compare(real, translated, tf.constant([0, 0]))
    assert np.abs(tape.gradient(found, translated)).max() > 0
    assert np.abs(tape.gradient(found, real)).max() == 0


def test_equal_images_have_a_smaller_loss_than_exchanged_ones(loss):
    real = images(0)
    same = float(loss.compare(real, real, tf.constant([0, 0])))
    other = float(loss.compare(real, real[:, ::-1], tf.constant([0, 0])))
    assert same < other
