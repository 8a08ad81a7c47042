import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts.tall import TallConvolution


@pytest.mark.parametrize(
    ("height", "frames", "channels"), [(5, 3, 1), (5, 3, 2), (1, 4, 1), (9, 1, 3)]
)
def test_outputs_and_gradients_are_those_of_conv2d(height, frames, channels):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(0, 1, (2, 9, 11, channels)), tf.float32)
    weights = [
        rng.normal(0, 1, (height, frames, channels, 4)).astype(np.float32),
        rng.normal(0, 1, 4).astype(np.float32),
    ]
    results = []
    for layer_type in (keras.layers.Conv2D, TallConvolution):
        layer = layer_type(4, (height, frames), activation="relu")
        layer.build(images.shape)
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
            total = tf.reduce_sum(outputs**2)
        gradients = tape.gradient(total, [images, *layer.trainable_weights])
        results.append([outputs, *gradients])
    for expected, found in zip(*results, strict=True):
        assert np.abs(found).max() > 0
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)  # float32 of sums


@pytest.mark.parametrize("height", [9, None])
def test_it_accepts_any_duration_and_height_in_a_graph(height):
    layer = TallConvolution(4, (5, 3))
    model = keras.Sequential([keras.Input((height, None, 1)), layer])

    @tf.function(input_signature=[tf.TensorSpec([None, height, None, 1])])
    def gradient(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(model(images))
        return tape.gradient(total, images)

    for frames in (3, 12):
        result = gradient(tf.ones((2, 9, frames, 1)))
        assert result.shape == (2, 9, frames, 1)
        assert np.isfinite(result).all()
