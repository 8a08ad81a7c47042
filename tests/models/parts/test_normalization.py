import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts.normalization import NORMALIZATIONS, BatchNormalization


def train(kind, shape, **options):
    """Return outputs, gradients and moving statistics of a step, and the outputs of inference."""
    rng = np.random.default_rng(0)
    layer = kind(momentum=0.7, epsilon=1e-3, synchronized=True, **options)
    layer.build(shape)
    layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.weights])
    inputs = tf.constant(rng.normal(1, 3, shape), layer.compute_dtype)
    weights = tf.constant(rng.normal(size=shape), tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * weights)
        of = [inputs, *(variable.value for variable in layer.trainable_variables)]
        return outputs, tape.gradient(loss, of)

    moved = [layer.moving_mean.value, layer.moving_variance.value]
    return [np.array(x, np.float32) for x in tf.nest.flatten([step(), moved, layer(inputs)])]


@pytest.mark.parametrize("shape", [(6, 4), (3, 8, 4), (3, 5, 7, 4)])
@pytest.mark.parametrize("affine", [True, False])
def test_steps_and_inference_are_those_of_keras(shape, affine):
    results = [train(kind, shape, center=affine, scale=affine) for kind in NORMALIZATIONS]
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_has_the_precision_of_its_type(dtype):
    exact = train(BatchNormalization, (3, 5, 7, 4))
    outputs, gradient, *_ = train(BatchNormalization, (3, 5, 7, 4), dtype=dtype)
    for expected, actual in zip(exact, (outputs, gradient), strict=False):
        np.testing.assert_allclose(actual, expected, rtol=0.05, atol=0.1)  # 8 bits of bfloat16


def test_the_statistics_of_a_frozen_layer_stay():
    layer = BatchNormalization(trainable=False)
    layer(tf.random.normal([8, 3]), training=True)
    assert np.array_equal(layer.moving_mean, np.zeros(3))
