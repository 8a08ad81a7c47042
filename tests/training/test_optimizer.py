import keras
import numpy as np
import pytest

from tfdream.config import TrainingConfig
from tfdream.training import optimizer

STEPS = 10


def rates(**settings):
    training = TrainingConfig(epochs=4, learning_rate=0.1, **settings)
    rate = optimizer.build(training, STEPS)._learning_rate
    return [float(rate(step)) for step in range(4 * STEPS + 1)]


def test_a_cosine_ends_at_nothing_and_passes_the_half_half_way():
    found = rates(schedule="cosine")
    assert found[0] == pytest.approx(0.1)
    assert found[20] == pytest.approx(0.05)
    assert found[40] == pytest.approx(0, abs=1e-9)
    assert found == sorted(found, reverse=True)


def test_a_warm_up_rises_evenly_and_then_stays():
    found = rates(warmup_epochs=1)
    np.testing.assert_allclose(np.diff(found[:STEPS]), 0.01, rtol=1e-5)
    assert set(found[STEPS - 1 :]) == {found[STEPS - 1]}
    assert found[-1] == pytest.approx(0.1)


def test_without_either_the_rate_is_a_number_that_can_be_assigned():
    built = optimizer.build(TrainingConfig(), STEPS)
    built.learning_rate = 0.5
    assert float(built.learning_rate) == 0.5


def test_the_schedule_can_be_saved():
    schedule = optimizer.WarmCosine(0.1, 5, 20)
    again = optimizer.WarmCosine.from_config(schedule.get_config())
    assert float(again(9)) == float(schedule(9))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_weights_decay_and_biases_do_not(name):
    layer = keras.layers.Dense(3, bias_initializer="ones")
    layer.build((None, 2))
    kernel = layer.kernel.numpy()
    training = TrainingConfig(optimizer=name, learning_rate=0.1, weight_decay=0.5)
    zeros = [np.zeros(weight.shape, np.float32) for weight in layer.trainable_variables]
    optimizer.build(training, STEPS).apply(zeros, layer.trainable_variables)
    np.testing.assert_allclose(layer.kernel.numpy(), kernel * 0.95, rtol=1e-5)
    np.testing.assert_allclose(layer.bias.numpy(), 1, rtol=1e-6)
