import keras
import numpy as np
import pytest

from tfdream.config import TrainingConfig, TranslationTrainingConfig
from tfdream.training import optimizers

STEPS = 10


def rates(**settings):
    training = TrainingConfig(epochs=4, learning_rate=0.1, **settings)
    rate = optimizers.build(training, STEPS)._learning_rate
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
    built = optimizers.build(TrainingConfig(), STEPS)
    built.learning_rate = 0.5
    assert float(built.learning_rate) == 0.5


def test_the_schedule_can_be_saved():
    schedule = optimizers.WarmCosine(0.1, 5, 20)
    again = optimizers.WarmCosine.from_config(schedule.get_config())
    assert float(again(9)) == float(schedule(9))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_weights_decay_and_biases_do_not(name):
    layer = keras.layers.Dense(3, bias_initializer="ones")
    layer.build((None, 2))
    kernel = layer.kernel.numpy()
    training = TrainingConfig(optimizer=name, learning_rate=0.1, weight_decay=0.5)
    zeros = [np.zeros(weight.shape, np.float32) for weight in layer.trainable_variables]
    optimizers.build(training, STEPS).apply(zeros, layer.trainable_variables)
    np.testing.assert_allclose(layer.kernel.numpy(), kernel * 0.95, rtol=1e-5)
    np.testing.assert_allclose(layer.bias.numpy(), 1, rtol=1e-6)


# Of a translation


def test_a_line_falls_to_nothing_after_it_has_stayed():
    decay = optimizers.LinearDecay(0.1, constant_steps=20, decay_steps=10)
    rates = {step: float(decay(step)) for step in (0, 19, 20, 25, 29, 30, 99)}
    wanted = {0: 0.1, 19: 0.1, 20: 0.1, 25: 0.05, 29: 0.01, 30: 0.0, 99: 0.0}
    assert rates == pytest.approx(wanted, abs=1e-8)
    again = optimizers.LinearDecay.from_config(decay.get_config())
    assert float(again(27)) == float(decay(27))


def test_the_last_epochs_of_a_translation_decay():
    training = TranslationTrainingConfig(epochs=6, decay_epochs=2, learning_rate=0.1)
    rate = optimizers.of_translation(training, STEPS)._learning_rate
    assert [float(rate(epoch * STEPS)) for epoch in range(7)] == pytest.approx(
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.0], abs=1e-8
    )


def test_a_translation_without_decay_has_the_same_rate_for_ever():
    built = optimizers.of_translation(TranslationTrainingConfig(learning_rate=0.3), STEPS)
    built.iterations.assign(10**6)
    assert float(built.learning_rate) == pytest.approx(0.3)
    assert built.beta_1 == 0.5
