import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import ModelConfig, TranslationTrainingConfig
from tfdream.errors import ConfigError
from tfdream.models import gan
from tfdream.training.cyclegan import CycleGAN
from tfdream.training.metrics import Spread

SIZE = (16, 16, 1)
NETWORKS = ModelConfig(
    name="cyclegan",
    options={"filters": 2, "blocks": 0, "discriminator_filters": 2, "discriminator_layers": 0},
)
BATCH = 2
DIRECTIONS = ("forward", "backward")


def build_networks():
    """Return the networks of both directions and their initial weights."""
    keras.utils.set_random_seed(4)
    networks = [gan.build(NETWORKS, SIZE) for _ in range(2)]
    weights = [part.get_weights() for network in networks for part in network]
    return networks, weights


shared_networks = functools.cache(build_networks)


def cyclegan(steps_per_epoch=3, build=shared_networks, averaged=None, **settings):
    """Return a model with large initial weights, by default of the networks of all tests."""
    networks, initial = build()
    # Outputs of initial weights are almost zero.
    for part, weights in zip((part for each in networks for part in each), initial, strict=True):
        part.set_weights([10 * weight for weight in weights])
    keras.utils.set_random_seed(4)
    config = TranslationTrainingConfig(**{"batch_size": BATCH, "pool_images": 4} | settings)
    return CycleGAN(*networks, config, steps_per_epoch, averaged)


@pytest.fixture(scope="module")
def batch():
    """Images of two domains in [0, 1]: dark and rough, bright and smooth."""
    rng = np.random.default_rng(0)
    rough = 0.5 * rng.uniform(size=(BATCH, *SIZE))
    smooth = np.linspace(0.5, 1, SIZE[1])[:, None] * rng.uniform(0.5, 1, (BATCH, 1, 1, 1))
    smooth = np.broadcast_to(smooth, rough.shape)
    return tf.constant(rough, tf.float32), tf.constant(smooth, tf.float32)


def float64(tensor):
    return np.asarray(tensor, np.float64)


def least_squares(scores, target):
    return np.mean((float64(scores) - target) ** 2)


def cross_entropy(scores, target):
    real = 1 / (1 + np.exp(-float64(scores)))
    return -np.mean(target * np.log(real) + (1 - target) * np.log(1 - real))


def published_losses(model, batch, adversarial, cycle_weight=10.0, identity_weight=5.0):
    """Compute the losses of Zhu et al., equations 1 to 3 and section 5.2.

    G translates x to the second domain and F translates y to the first; D_Y and D_X discriminate.
    """
    x, y = (2 * images - 1 for images in batch)
    g, f = model.generators.forward, model.generators.backward
    d_y, d_x = model.discriminators.forward, model.discriminators.backward

    def distance(one, other):
        return np.mean(np.abs(float64(one) - float64(other)))

    cycle = distance(f(g(x)), x) + distance(g(f(y)), y)
    identity = distance(g(y), y) + distance(f(x), x)
    losses = {
        "cycle": cycle,
        "identity": identity if identity_weight else 0.0,
        "generator_forward": adversarial(d_y(g(x)), 1),
        "generator_backward": adversarial(d_x(f(y)), 1),
        "discriminator_forward": (adversarial(d_y(y), 1) + adversarial(d_y(g(x)), 0)) / 2,
        "discriminator_backward": (adversarial(d_x(x), 1) + adversarial(d_x(f(y)), 0)) / 2,
    }
    losses["loss"] = (
        losses["generator_forward"]
        + losses["generator_backward"]
        + cycle_weight * cycle
        + identity_weight * identity
    )
    return losses


def step(model, batch):
    """Train on a batch and return the metrics."""
    model.reset_metrics()
    return {name: float(value) for name, value in model.train_step(batch).items()}


def assert_published_losses(model, batch, adversarial, **weights):
    """Compare an evaluation and a training step with the formulas."""
    expected = published_losses(model, batch, adversarial, **weights)
    held_out = {name: float(value) for name, value in model.test_step(batch).items()}
    without = {name: expected[name] for name in ("loss", "cycle", "identity")}
    without["loss"] -= expected["generator_forward"] + expected["generator_backward"]
    assert held_out == pytest.approx(without, rel=1e-5)  # images and scores are float32
    result = step(model, batch)
    assert {name: result[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert set(result) - set(expected) == {"spread_forward", "spread_backward"}


@pytest.mark.parametrize(
    ("settings", "adversarial", "weights"),
    [
        ({"adversarial": "cross_entropy", "pool_images": 0}, cross_entropy, {}),
        pytest.param(
            {"identity_weight": 0, "cycle_weight": 3},
            least_squares,
            {"identity_weight": 0.0, "cycle_weight": 3.0},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["cross entropy", "without identity"],
)
def test_the_losses_are_the_published_ones(batch, settings, adversarial, weights):
    assert_published_losses(cyclegan(**settings), batch, adversarial, **weights)


def test_validation_changes_no_state(batch):
    """The directions of spectral normalization are part of the state."""
    networks = ModelConfig(
        name="temporal_cnn",
        options={"filters": 4, "blocks": 1, "discriminator_filters": 2, "discriminator_layers": 1},
    )
    config = TranslationTrainingConfig(batch_size=BATCH, pool_images=4)
    model = CycleGAN(*(gan.build(networks, SIZE) for _ in range(2)), config, 3)
    assert model.stored is model.generators  # without averages
    before = [variable.numpy() for variable in model.discriminators.variables]
    model.test_step(batch)
    for variable, value in zip(model.discriminators.variables, before, strict=True):
        assert np.array_equal(variable, value)
    model.train_step(batch)
    for variable, value in zip(model.discriminators.variables, before, strict=True):
        assert not np.array_equal(variable, value)


@pytest.mark.slow
def test_all_gradients_are_those_of_the_state_before_the_step(batch):
    """The first step of Adam is the learning rate, against the sign of the gradient."""
    model = cyclegan(learning_rate=1e-3, pool_images=0)
    x, y = (2 * images - 1 for images in batch)
    generators, discriminators = model.generators, model.discriminators
    with tf.GradientTape(persistent=True) as tape:
        fake_y, fake_x = generators.forward(x), generators.backward(y)
        loss = 10 * (
            tf.reduce_mean(tf.abs(generators.backward(fake_y) - x))
            + tf.reduce_mean(tf.abs(generators.forward(fake_x) - y))
            + 0.5 * tf.reduce_mean(tf.abs(generators.forward(y) - y))
            + 0.5 * tf.reduce_mean(tf.abs(generators.backward(x) - x))
        )
        discriminator_loss = 0.0
        for discriminator, real, fake in (
            (discriminators.forward, y, fake_y),
            (discriminators.backward, x, fake_x),
        ):
            loss += tf.reduce_mean((discriminator(fake) - 1) ** 2)
            discriminator_loss += 0.5 * tf.reduce_mean((discriminator(real) - 1) ** 2)
            discriminator_loss += 0.5 * tf.reduce_mean(discriminator(tf.stop_gradient(fake)) ** 2)
    expected = []
    for goal, networks in ((loss, generators), (discriminator_loss, discriminators)):
        gradients = tape.gradient(goal, networks.trainable_variables)
        expected.append(
            [
                (float64(gradient), float64(weight))
                for gradient, weight in zip(gradients, networks.trainable_variables, strict=True)
            ]
        )
    model.train_step(batch)
    compared = 0
    for networks, before_step in zip((generators, discriminators), expected, strict=True):
        for (gradient, before), after in zip(
            before_step, networks.trainable_variables, strict=True
        ):
            clear = np.abs(gradient) > 1e-3  # below, it may be a rounding error in part
            moved = float64(after) - before
            np.testing.assert_allclose(
                moved[clear], -1e-3 * np.sign(gradient[clear]), rtol=0.02, atol=1e-6
            )
            compared += clear.sum()
    assert compared > 500


@pytest.mark.slow
def test_discriminators_are_trained_on_earlier_translations_too(batch, tmp_path):
    """With a full pool, their images are not only those that the generators just returned.

    The state after the first step contains networks, optimizers and pools.
    """
    model = cyclegan(pool_images=BATCH, learning_rate=1e-9, seed=1)
    assert_published_losses(model, batch, least_squares)
    model.save_weights(tmp_path / "state.weights.h5")
    another = cyclegan(build=build_networks, pool_images=BATCH, seed=0)
    assert_restored(tmp_path / "state.weights.h5", model, another)
    other = tuple(images[:, ::-1] for images in batch)
    latest = published_losses(model, other, least_squares)
    result = step(model, other)
    generators = [name for name in latest if not name.startswith("discriminator")]
    assert {name: result[name] for name in generators} == pytest.approx(
        {name: latest[name] for name in generators}, rel=1e-4
    )
    names = [f"discriminator_{direction}" for direction in DIRECTIONS]
    assert any(result[name] != pytest.approx(latest[name], rel=1e-4) for name in names)


def assert_restored(path, model, other):
    """Load the stored state of a model into another one, whose state differs."""
    for weight in other.trainable_variables:
        weight.assign(tf.zeros_like(weight))
    other.load_weights(path)
    for parts in (
        lambda each: each.generators.variables,
        lambda each: each.discriminators.variables,
        lambda each: each.generator_optimizer.variables,
        lambda each: each.discriminator_optimizer.variables,
        lambda each: each.forward_pool.variables,
        lambda each: each.backward_pool.variables,
    ):
        assert len(parts(model)) > 2
        for one, again in zip(parts(model), parts(other), strict=True):
            assert np.array_equal(one, again)
    assert int(other.forward_pool.count) == BATCH
    assert not np.array_equal(other.forward_pool.stored, other.backward_pool.stored)


# Options beside the published losses


def test_the_onset_loss_is_the_difference_of_the_mean_rises(batch):
    """It is added to the loss with its weight. Without cycle loss, nothing is translated back."""
    settings = {"cycle_weight": 0, "identity_weight": 0, "pool_images": 0}
    plain, model = cyclegan(**settings), cyclegan(**settings, onset_weight=3.0)
    assert plain.translate(batch).returned is None
    rises = []
    real = tuple(2 * images - 1 for images in batch)
    for images in (real, model.translate(real).translated):
        levels = [float64(each)[..., 0] for each in images]
        rises.append([np.maximum(np.diff(each, axis=2), 0).mean(axis=1) for each in levels])
    expected = sum(np.mean(np.abs(one - other)) for one, other in zip(*rises, strict=True))
    found, without = (
        {name: float(value) for name, value in each.test_step(batch).items()}
        for each in (model, plain)
    )
    assert found["onsets"] == pytest.approx(expected, rel=1e-5)
    assert found["loss"] == pytest.approx(without["loss"] + 3 * expected, rel=1e-5)
    assert found["cycle"] == 0
    assert "onsets" not in without


def test_discriminators_receive_images_that_are_changed_at_random(batch):
    """Random numbers follow from the step."""
    change = {"kind": "brightness", "level": 1e-6}
    same = cyclegan(pool_images=0, augmentation=[change])
    assert step(same, batch) == pytest.approx(step(cyclegan(pool_images=0), batch), rel=1e-4)
    changed = cyclegan(pool_images=0, augmentation=[change | {"level": 0.5}])
    images = batch[0]
    first, second = (changed._augment(images, 0) for _ in range(2))
    assert np.array_equal(first, second)  # of the same step
    changed.generator_optimizer.iterations.assign_add(1)
    assert not np.array_equal(changed._augment(images, 0), first)


def test_stored_weights_are_the_moving_average_of_those_of_all_steps(batch):
    decay = 0.6
    averaged = gan.BidirectionalModel(*(each.generator for each in build_networks()[0]))
    model = cyclegan(average_decay=decay, learning_rate=1e-2, averaged=averaged)
    assert model.stored is averaged
    expected = None
    for _ in range(3):
        model.train_step(batch)
        weights = [float64(weight) for weight in model.generators.trainable_variables]
        if expected is None:
            expected = weights
        else:
            expected = [
                decay * old + (1 - decay) * new for old, new in zip(expected, weights, strict=True)
            ]
    model.update_averages()
    for found, wanted in zip(averaged.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    for weight, before in zip(model.generators.trainable_variables, weights, strict=True):
        assert np.array_equal(weight, before.astype(np.float32))


def test_a_contrastive_loss_has_its_own_variables_and_names_unknown_layers(batch):
    model = cyclegan(contrastive_weight=0.5, contrastive_layers=["conv1"], pool_images=0)
    loss = model.contrastive[0]
    before = [float64(each) for each in loss.projection_variables]
    metrics = step(model, batch)
    assert 0 < metrics["contrastive"] < 20
    after = [float64(each) for each in loss.projection_variables]
    assert all(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    with pytest.raises(ConfigError, match="no layer 'wings'; use some of: image, conv1"):
        cyclegan(contrastive_weight=1, contrastive_layers=["wings"])


@pytest.mark.slow
def test_fit_averages_the_variables_of_a_contrastive_loss_too(batch, eagerly):
    networks = ModelConfig(name="temporal_cnn", options={"filters": 4, "blocks": 1})
    config = TranslationTrainingConfig(
        **{"batch_size": BATCH, "average_decay": 0.5, "pool_images": 0},
        **{"contrastive_weight": 1, "contrastive_layers": ["trunk_input"]},
    )
    built = [gan.build(networks, SIZE) for _ in range(4)]
    averaged = gan.BidirectionalModel(*(each.generator for each in built[2:]))
    model = CycleGAN(*built[:2], config, 1, averaged)
    history = model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    assert np.isfinite(history.history["contrastive"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"contrastive_weight": 1.0}, "needs contrastive_layers"),
        ({"augmentation": [{"kind": "mixup"}]}, "'mixup' does not change single images"),
        ({"augmentation": [{"kind": "gain"}]}, "'gain' does not change single images"),
    ],
)
def test_settings_that_do_not_fit_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        TranslationTrainingConfig(**settings)


def test_both_optimizers_have_the_published_momentum_and_decay():
    model = cyclegan(epochs=4, decay_share=0.5, learning_rate=1e-3)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert optimizer.beta_1 == 0.5
        assert float(optimizer.learning_rate) == pytest.approx(1e-3)
        optimizer.iterations.assign(9)  # of 12; the decay began at 6
        assert float(optimizer.learning_rate) == pytest.approx(5e-4)
    assert model.generator_optimizer is not model.discriminator_optimizer


# Spread


def spread(*batches):
    metric = Spread(SIZE, name="spread")
    for translated, real in batches:
        metric.update_state(tf.constant(translated, tf.float32), tf.constant(real, tf.float32))
    return float(metric.result())


def test_spread_is_the_ratio_of_the_deviations_of_translations_and_real_images():
    rng = np.random.default_rng(0)
    real = rng.normal(0.2, 0.4, (7, *SIZE))
    translated = rng.normal(-0.5, 0.1, (7, *SIZE)) + np.linspace(-1, 1, 16)[:, None]
    expected = np.sqrt(translated.var(axis=0).mean() / real.var(axis=0).mean())
    assert spread((translated, real)) == pytest.approx(expected, rel=1e-4)  # differences of sums
    parts = [(translated[:4], real[:4]), (translated[4:], real[4:])]
    assert spread(*parts) == pytest.approx(expected, rel=1e-4)


def test_equal_translations_have_no_spread():
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (8, *SIZE))
    same = np.broadcast_to(rng.uniform(-1, 1, SIZE), real.shape)
    assert spread((same, real)) < 2e-3  # rounding errors of differences of float32 sums
    assert spread((real, real)) == 1
    assert spread((real[:1], real[:1])) == 0
    assert spread((real, same)) < 1e3
