import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts.recurrent import LSTM


def pair(**options):
    """Keras' layer and ours, with equal weights."""
    layers = [
        kind(5, return_sequences=True, return_state=True, **options)
        for kind in (keras.layers.LSTM, LSTM)
    ]
    for layer in layers:
        layer.build((None, None, 3))
    layers[1].set_weights(layers[0].get_weights())
    return layers


def outputs_and_gradients(layer, inputs, state, weights):
    @tf.function
    def compute(inputs, state):
        with tf.GradientTape() as tape:
            tape.watch([inputs, *state])
            outputs = layer(inputs, initial_state=list(state))
            loss = sum(tf.reduce_sum(x * w) for x, w in zip(outputs, weights, strict=True))
        of_layer = [variable.value for variable in layer.trainable_variables]
        return outputs, tape.gradient(loss, [inputs, *state, *of_layer])

    return compute(inputs, state)


@pytest.mark.parametrize("go_backwards", [False, True])
def test_outputs_and_gradients_are_those_of_keras(go_backwards):
    keras.utils.set_random_seed(1)
    inputs = tf.random.normal([2, 7, 3])
    state = (tf.random.normal([2, 5]), tf.random.normal([2, 5]))
    weights = [tf.random.normal(shape) for shape in ([2, 7, 5], [2, 5], [2, 5])]
    results = [
        outputs_and_gradients(layer, inputs, state, weights)
        for layer in pair(go_backwards=go_backwards)
    ]
    for expected, actual in zip(*map(tf.nest.flatten, results), strict=True):
        # Sums in another order: float32 rounding.
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_a_graph_has_the_static_shape_of_the_outputs():
    for layer in pair():
        graph = tf.function(layer).get_concrete_function(tf.TensorSpec([None, 6, 3]))
        assert [shape.as_list() for shape in graph.output_shapes] == [
            [None, 6, 5],
            [None, 5],
            [None, 5],
        ]


def test_the_number_of_steps_and_the_batch_may_be_unknown():
    _, layer = pair()
    compute = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 3])])
    inputs = tf.random.normal([4, 6, 3])
    np.testing.assert_allclose(compute(inputs)[0], layer(inputs)[0], rtol=1e-5, atol=1e-6)
    assert compute(tf.zeros([1, 1, 3]))[0].shape == (1, 1, 5)


def test_a_mask_is_applied_by_keras():
    reference, layer = pair()
    inputs, mask = tf.random.normal([2, 4, 3]), tf.constant([[True] * 4, [True, True, False, True]])
    for expected, actual in zip(
        reference(inputs, mask=mask), layer(inputs, mask=mask), strict=True
    ):
        assert np.array_equal(expected, actual)


def test_the_layer_is_restored_from_its_configuration():
    both = keras.layers.Bidirectional(LSTM(4, return_sequences=True))
    assert isinstance(both.backward_layer, LSTM)
    assert both(tf.zeros([1, 3, 2])).shape == (1, 3, 8)
