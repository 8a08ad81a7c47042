import keras
import numpy as np
import pytest

from tfdream.config import TrainingConfig, TranslationTrainingConfig, load_experiment
from tfdream.training import optimizers

STEPS = 10


def rates(**settings):
    training = TrainingConfig(epochs=4, learning_rate=0.1, **settings)
    rate = optimizers.build(training, STEPS)._learning_rate
    return [float(rate(step)) for step in range(4 * STEPS + 1)]


def test_a_cosine_ends_at_zero_and_has_half_the_rate_in_the_middle():
    values = rates(schedule="cosine")
    assert values[0] == pytest.approx(0.1)
    assert values[20] == pytest.approx(0.05)
    assert values[40] == pytest.approx(0, abs=1e-9)
    assert values == sorted(values, reverse=True)


def test_a_warmup_rises_linearly_and_then_stays():
    values = rates(warmup_epochs=1)
    np.testing.assert_allclose(values[: STEPS + 1], np.linspace(0.1 / STEPS, 0.1, STEPS + 1))
    assert values[STEPS:] == pytest.approx([0.1] * (len(values) - STEPS))


def test_before_a_cosine_a_warmup_takes_at_most_half_of_the_training():
    values = rates(warmup_epochs=9, schedule="cosine")
    half = len(values) // 2
    np.testing.assert_allclose(values[: half + 1], np.linspace(0.1 / half, 0.1, half + 1))
    assert values[half] == pytest.approx(0.1)
    assert values[-1] == pytest.approx(0, abs=1e-9)


def test_without_schedule_the_rate_can_be_assigned():
    built = optimizers.build(TrainingConfig(), STEPS)
    built.learning_rate = 0.5
    assert float(built.learning_rate) == 0.5


def test_a_plateau_lowers_the_rate_after_its_patience():
    training = TrainingConfig(
        learning_rate=0.1, schedule="plateau", plateau_factor=0.5, validate_on="next"
    )
    losses = [3.0, 2.0, 2.5, 2.5, 2.1, 1.9, 1.9, 1.89999, 1.8]
    rates = [optimizers.plateau_rate(training, losses[:epochs]) for epochs in range(10)]
    # The fourth loss is the second without a decrease; a decrease by 0.0005 % is none.
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025])
    impatient = training.model_copy(update={"plateau_patience": 0})
    assert optimizers.plateau_rate(impatient, losses[:4]) == pytest.approx(0.025)


def test_weights_decay_and_biases_do_not():
    for name in ("adam", "sgd"):
        layer = keras.layers.Dense(3, bias_initializer="ones")
        layer.build((None, 2))
        kernel = layer.kernel.numpy()
        training = TrainingConfig(optimizer=name, learning_rate=0.1, weight_decay=0.5)
        zeros = [np.zeros(weight.shape, np.float32) for weight in layer.trainable_variables]
        optimizers.build(training, STEPS).apply(zeros, layer.trainable_variables)
        np.testing.assert_allclose(layer.kernel.numpy(), kernel * 0.95, rtol=1e-5)
        np.testing.assert_allclose(layer.bias.numpy(), 1, rtol=1e-6)


# Translation


def test_a_linear_decay_starts_after_the_constant_steps():
    decay = optimizers.LinearDecay(0.1, constant_steps=20, decay_steps=10)
    rates = {step: float(decay(step)) for step in (0, 19, 20, 25, 29, 30, 99)}
    expected = {0: 0.1, 19: 0.1, 20: 0.1, 25: 0.05, 29: 0.01, 30: 0.0, 99: 0.0}
    assert rates == pytest.approx(expected, abs=1e-8)
    again = optimizers.LinearDecay.from_config(decay.get_config())
    assert float(again(27)) == float(decay(27))


def test_the_last_epochs_of_a_translation_decay():
    training = TranslationTrainingConfig(epochs=6, decay_share=1 / 3, learning_rate=0.1)
    rate = optimizers.build_for_translation(training, STEPS)._learning_rate
    assert [float(rate(epoch * STEPS)) for epoch in range(7)] == pytest.approx(
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.0], abs=1e-8
    )


@pytest.mark.parametrize("epochs", [13, 40, 200])
def test_the_published_cyclegan_decays_on_request_with_any_number_of_epochs(epochs):
    """The document trained 13 epochs at a constant rate, Zhu et al. 100 and 100 with decay."""
    name, given = "dreaming_in_music_cyclegan", [f"training.epochs={epochs}"]
    assert load_experiment(name).training.epochs == 13
    constant = optimizers.build_for_translation(load_experiment(name, given).training, STEPS)
    constant.iterations.assign(epochs * STEPS)
    assert float(constant.learning_rate) == pytest.approx(2e-4)
    given.append("training.decay_share=0.5")
    decaying = optimizers.build_for_translation(load_experiment(name, given).training, STEPS)
    for share, rate in ((0.4, 2e-4), (0.75, 1e-4), (1, 0)):
        decaying.iterations.assign(round(share * epochs * STEPS))
        # 13 epochs have a decay of 6, which begins half an epoch late.
        assert float(decaying.learning_rate) == pytest.approx(rate, abs=1e-5)


def test_a_translation_without_decay_has_a_constant_rate():
    built = optimizers.build_for_translation(TranslationTrainingConfig(learning_rate=0.3), STEPS)
    built.iterations.assign(10**6)
    assert float(built.learning_rate) == pytest.approx(0.3)
    assert built.beta_1 == 0.5
