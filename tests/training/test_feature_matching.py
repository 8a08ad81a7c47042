import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import ModelConfig, TranslationTrainingConfig
from tfdream.errors import ConfigError
from tfdream.models import gan
from tfdream.training.cyclegan import CycleGAN
from tfdream.training.feature_matching import FeatureMatching

SIZE = (16, 16, 1)
NETWORKS = ModelConfig(
    name="temporal_cnn",
    options={"filters": 4, "blocks": 1, "discriminator_filters": 4, "discriminator_layers": 1},
)


@pytest.fixture
def discriminator():
    keras.utils.set_random_seed(4)
    return gan.build(NETWORKS, SIZE).discriminator


def images(seed, count=2):
    return tf.random.stateless_uniform([count, *SIZE], [seed, 0], -1, 1)


def test_activations_are_those_of_the_hidden_layers_and_the_logits_of_the_discriminator(
    discriminator,
):
    hidden, logits = FeatureMatching(discriminator).activations(images(0), training=False)
    assert [each.shape.as_list() for each in hidden] == [[2, 8, 4], [2, 8, 8]]
    np.testing.assert_array_equal(logits, discriminator(images(0), training=False))


def test_the_loss_is_the_difference_of_means_relative_to_the_deviation():
    rng = np.random.default_rng(0)
    real, translated = (rng.standard_normal((3, 5, 2)).astype(np.float32) for _ in range(2))
    scaled = 4 * real  # a second layer
    means = np.abs(real.mean(axis=(0, 1)) - translated.mean(axis=(0, 1))).mean()
    expected = means / real.std(axis=(0, 1)).mean()
    found = FeatureMatching.compare([translated, 4 * translated], [real, scaled])
    assert float(found) == pytest.approx(expected, rel=2e-3)
    assert float(FeatureMatching.compare([real[::-1]], [real])) == pytest.approx(0, abs=1e-6)


def test_gradients_are_those_of_the_translations(discriminator):
    matching = FeatureMatching(discriminator)
    one, other = images(1), images(2)
    with tf.GradientTape() as tape:
        tape.watch([one, other])
        hidden, _ = matching.activations(one, training=True)
        real, _ = matching.activations(other, training=False)
        loss = matching.compare(hidden, real)
    own, target = tape.gradient(loss, [one, other])
    assert np.abs(own).max() > 0
    assert target is None


def test_a_discriminator_without_activations_is_an_error():
    image = keras.Input(SIZE)
    linear = keras.Model(image, keras.layers.Flatten()(image))
    with pytest.raises(ConfigError, match="no layer LeakyReLU or ReLU"):
        FeatureMatching(linear)


def test_training_with_feature_matching_lowers_it():
    keras.utils.set_random_seed(4)
    config = TranslationTrainingConfig(
        batch_size=4, pool_images=0, learning_rate=0.01, cycle_weight=0, identity_weight=0,
        feature_matching_weight=5,
    )  # fmt: skip
    model = CycleGAN(*(gan.build(NETWORKS, SIZE) for _ in range(2)), config, steps_per_epoch=10)
    dark, bright = (images(0, 4) - 3) / 4, (images(1, 4) + 1) / 2
    batches = tf.data.Dataset.from_tensors(((dark + 1) / 2, (bright + 1) / 2)).repeat(10)
    history = model.fit(batches, epochs=3, verbose=0).history["features"]
    assert history[-1] < 0.7 * history[0]
