import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import ModelConfig, TranslationTrainingConfig
from tfdream.models import gan
from tfdream.training.cyclegan import CycleGAN, Spread

SIZE = (16, 16, 1)
PAIR = ModelConfig(
    name="cyclegan",
    options={"filters": 2, "blocks": 1, "discriminator_filters": 2, "discriminator_layers": 1},
)
BATCH = 2
SIDES = ("forward", "backward")


def cyclegan(steps_per_epoch=3, **settings):
    keras.utils.set_random_seed(4)
    config = TranslationTrainingConfig(**{"batch_size": BATCH, "pool_images": 4} | settings)
    pairs = (gan.build(PAIR, SIZE) for _ in range(2))
    model = CycleGAN(*pairs, config, steps_per_epoch)
    for weight in model.trainable_variables:  # fresh ones make nearly nothing of anything
        weight.assign(weight * 10)
    return model


@pytest.fixture(scope="module")
def batch():
    """Images of two kinds in [0, 1]: dark and rough, bright and smooth."""
    rng = np.random.default_rng(0)
    rough = 0.5 * rng.uniform(size=(BATCH, *SIZE))
    smooth = np.linspace(0.5, 1, SIZE[1])[:, None] * rng.uniform(0.5, 1, (BATCH, 1, 1, 1))
    smooth = np.broadcast_to(smooth, rough.shape)
    return tf.constant(rough, tf.float32), tf.constant(smooth, tf.float32)


def float64(tensor):
    return np.asarray(tensor, np.float64)


def least_squares(judged, wanted):
    return np.mean((float64(judged) - wanted) ** 2)


def cross_entropy(judged, wanted):
    real = 1 / (1 + np.exp(-float64(judged)))
    return -np.mean(wanted * np.log(real) + (1 - wanted) * np.log(1 - real))


def published(model, batch, adversarial, cycle_weight=10.0, identity_weight=0.5):
    """The losses of Zhu et al., equations 1 to 3 and section 5.2, of networks as they are.

    G translates x to the second kind and F translates y to the first; D_Y and D_X judge.
    """
    x, y = (2 * images - 1 for images in batch)
    g, f = model.generators.forward, model.generators.backward
    judge_y, judge_x = model.discriminators.forward, model.discriminators.backward

    def distance_to(one, other):
        return np.mean(np.abs(float64(one) - float64(other)))

    cycle = distance_to(f(g(x)), x) + distance_to(g(f(y)), y)
    identity = distance_to(g(y), y) + distance_to(f(x), x)
    found = {
        "cycle": cycle,
        "identity": identity if identity_weight else 0.0,
        "generator_forward": adversarial(judge_y(g(x)), 1),
        "generator_backward": adversarial(judge_x(f(y)), 1),
        "discriminator_forward": (adversarial(judge_y(y), 1) + adversarial(judge_y(g(x)), 0)) / 2,
        "discriminator_backward": (adversarial(judge_x(x), 1) + adversarial(judge_x(f(y)), 0)) / 2,
    }
    found["loss"] = (
        found["generator_forward"]
        + found["generator_backward"]
        + cycle_weight * cycle
        + cycle_weight * identity_weight * identity
    )
    return found


@pytest.mark.parametrize(
    ("settings", "adversarial", "weights"),
    [
        ({}, least_squares, {}),
        ({"adversarial": "cross_entropy", "pool_images": 0}, cross_entropy, {}),
        pytest.param(
            {"identity_weight": 0, "cycle_weight": 3},
            least_squares,
            {"identity_weight": 0.0, "cycle_weight": 3.0},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["least squares", "cross entropy", "without identity"],
)
def test_the_losses_are_the_published_ones(batch, settings, adversarial, weights):
    model = cyclegan(**settings)
    wanted = published(model, batch, adversarial, **weights)
    held_out = {name: float(value) for name, value in model.test_step(batch).items()}
    # float32 images and judgements.
    assert held_out == pytest.approx(
        {name: wanted[name] for name in ("loss", "cycle", "identity")}, rel=1e-5
    )
    model.reset_metrics()
    told = {name: float(value) for name, value in model.train_step(batch).items()}
    assert {name: told[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)
    assert set(told) - set(wanted) == {"spread_forward", "spread_backward"}


@pytest.mark.slow
def test_both_halves_learn_from_the_networks_as_they_were(batch):
    """The first step of Adam is the rate, against the sign of the gradient."""
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
        judged = 0.0
        for judge, real, fake in (
            (discriminators.forward, y, fake_y),
            (discriminators.backward, x, fake_x),
        ):
            loss += tf.reduce_mean((judge(fake) - 1) ** 2)
            judged += 0.5 * tf.reduce_mean((judge(real) - 1) ** 2)
            judged += 0.5 * tf.reduce_mean(judge(tf.stop_gradient(fake)) ** 2)
    for goal, networks in ((loss, generators), (judged, discriminators)):
        gradients = tape.gradient(goal, networks.trainable_variables)
        networks.wanted = [
            (float64(gradient), float64(weight))
            for gradient, weight in zip(gradients, networks.trainable_variables, strict=True)
        ]
    model.train_step(batch)
    compared = 0
    for networks in (generators, discriminators):
        for (gradient, before), after in zip(
            networks.wanted, networks.trainable_variables, strict=True
        ):
            clear = np.abs(gradient) > 1e-4  # below, rounding has a say in the sign
            moved = float64(after) - before
            np.testing.assert_allclose(
                moved[clear], -1e-3 * np.sign(gradient[clear]), rtol=0.02, atol=1e-6
            )
            compared += clear.sum()
    assert compared > 500


def test_discriminators_learn_from_earlier_translations_too(batch):
    """Of a full pool, what they are told of is not only what the generators just made."""
    model = cyclegan(pool_images=2, learning_rate=1e-9, seed=1)
    model.train_step(batch)
    other = tuple(images[:, ::-1] for images in batch)
    model.reset_metrics()
    told = model.train_step(other)
    latest = published(model, other, least_squares)
    told = {name: float(told[name]) for name in latest}
    generators = [name for name in latest if not name.startswith("discriminator")]
    assert {name: told[name] for name in generators} == pytest.approx(
        {name: latest[name] for name in generators}, rel=1e-4
    )
    assert any(
        told[f"discriminator_{side}"] != pytest.approx(latest[f"discriminator_{side}"], rel=1e-4)
        for side in SIDES
    )


def test_the_state_holds_networks_optimizers_and_pools(batch, tmp_path):
    model, other = cyclegan(), cyclegan(seed=0)
    model.train_step(batch)
    model.save_weights(tmp_path / "state.weights.h5")
    other.load_weights(tmp_path / "state.weights.h5")
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
    assert not np.array_equal(other.forward_pool.kept, other.backward_pool.kept)


def test_both_optimizers_have_the_published_momentum_and_decay():
    model = cyclegan(epochs=4, decay_epochs=2, learning_rate=1e-3)
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


def test_spread_is_the_deviation_of_translations_over_that_of_real_images():
    rng = np.random.default_rng(0)
    real = rng.normal(0.2, 0.4, (7, *SIZE))
    translated = rng.normal(-0.5, 0.1, (7, *SIZE)) + np.linspace(-1, 1, 16)[:, None]
    wanted = np.sqrt(translated.var(axis=0).mean() / real.var(axis=0).mean())
    assert spread((translated, real)) == pytest.approx(wanted, rel=1e-4)  # differences of sums
    parts = [(translated[:4], real[:4]), (translated[4:], real[4:])]
    assert spread(*parts) == pytest.approx(wanted, rel=1e-4)


def test_a_generator_that_makes_one_image_of_everything_has_no_spread():
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (8, *SIZE))
    same = np.broadcast_to(rng.uniform(-1, 1, SIZE), real.shape)
    assert spread((same, real)) < 2e-3  # what float32 leaves of differences of sums
    assert spread((real, real)) == 1
    assert spread((real[:1], real[:1])) == 0
    assert spread((real, same)) < 1e3
