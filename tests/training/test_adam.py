import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.training.adam import Adam

OPTIONS = {"weight_decay": 0.01, "beta_1": 0.8, "use_ema": True, "ema_momentum": 0.9}


def train(kind, dtype="float32"):
    """Fit a dense layer with an optimizer, three steps from the same weights."""
    rng = np.random.default_rng(0)
    layer = keras.layers.Dense(3, dtype=dtype)
    layer.build((None, 4))
    layer.set_weights([rng.normal(size=(4, 3)), rng.normal(size=3)])
    rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
    optimizer = kind(rate, **OPTIONS)
    inputs = tf.constant(rng.normal(size=(8, 4)), tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(inputs), tf.float32) ** 2)
        values = [variable.value for variable in layer.trainable_variables]
        optimizer.apply(tape.gradient(loss, values), layer.trainable_variables)

    for _ in range(3):
        step()
    return layer.get_weights() + [np.array(variable) for variable in optimizer.variables]


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_the_steps_are_those_of_keras(dtype):
    for expected, actual in zip(
        train(keras.optimizers.Adam, dtype), train(Adam, dtype), strict=True
    ):
        # 1 − 0.999, the first bias correction, has four digits in float32.
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
