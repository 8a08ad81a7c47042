"""Contracts of every generator that the folder holds, and what is particular to each."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import ModelConfig
from tfdream.errors import ConfigError
from tfdream.models import sequence
from tfdream.models.sequence import product_codes

BANDS, FRAMES = 12, 9
SMALL = {
    "lstm": {"units": 5, "layers": 2},
    "product_codes": {"units": 5, "layers": 2, "numbers": 3, "entries": 4, "width": 6},
}


def build(name, **options):
    keras.utils.set_random_seed(0)
    config = ModelConfig(name=name, options=SMALL.get(name, {}) | options)
    return sequence.build(config, (BANDS, FRAMES, 1))


def pictures(batch=3, seed=0):
    """Frames with a shape: two bands that move, in noise."""
    rng = np.random.default_rng(seed)
    frames = rng.uniform(0, 0.2, (batch, FRAMES, BANDS))
    frames[:, ::2, 3] += 0.7
    frames[:, 1::3, 8] += 0.5
    return frames.astype(np.float32)


def generate_frames(generator, position, number, count, temperature=0.0, seed=0):
    frames, position = generator.generate_frames(
        position,
        tf.constant(number),
        tf.constant(count),
        tf.constant(temperature),
        tf.constant(seed, tf.int64),
    )
    return frames.numpy(), position


@pytest.fixture(params=sequence.names(), scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def generator(name):
    """Adapted, but not trained."""
    generator = build(name)
    generator.adapt(pictures(20), -3.0, seed=1)
    return generator


def test_both_are_found():
    assert {"lstm", "product_codes"} <= set(sequence.names())


def test_what_is_likeliest_next_is_a_frame_for_each_frame(generator):
    told = generator(pictures())
    assert told.shape == (3, FRAMES, BANDS)
    assert told.dtype == tf.float32
    assert 0 <= float(tf.reduce_min(told)) <= float(tf.reduce_max(told)) <= 1


def test_nothing_is_told_of_the_future(generator):
    frames = pictures()
    changed = frames.copy()
    changed[:, 5:] = 1 - changed[:, 5:]
    assert np.array_equal(generator(frames)[:, :5], generator(changed)[:, :5])


def test_the_gradient_reaches_every_weight(generator):
    with tf.GradientTape() as tape:
        loss = generator.loss_of(tf.constant(pictures()), training=True)
    assert loss.shape == ()
    for weight, gradient in zip(
        generator.trainable_variables,
        tape.gradient(loss, generator.trainable_variables),
        strict=True,
    ):
        assert gradient is not None, weight.path
        assert np.any(tf.convert_to_tensor(gradient)), weight.path


def test_a_free_run_is_the_network_told_its_own_output(generator):
    """At temperature 0, where nothing is left to chance."""
    start = tf.constant(pictures()[:, :4])
    said, _ = generate_frames(generator, generator.encode_prompt(start), 0, 5)
    assert said.shape == (3, 5, BANDS)
    whole = tf.concat([start, said], axis=1)
    # Sums in another order; a code that differs would be far away.
    assert np.allclose(generator(whole)[:, 3:-1], said, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_frames_do_not_depend_on_how_many_are_asked_for_at_a_time(generator, temperature):
    start = generator.encode_prompt(tf.constant(pictures()[:, :1]))
    together, end = generate_frames(generator, start, 0, 7, temperature, seed=3)
    first, middle = generate_frames(generator, start, 0, 3, temperature, seed=3)
    rest, same_end = generate_frames(generator, middle, 3, 4, temperature, seed=3)
    # Frames are decoded together, in sums of another order.
    assert np.allclose(together, np.concatenate([first, rest], axis=1), atol=1e-6)
    assert np.allclose(end.code, same_end.code, atol=1e-6)


def test_what_is_left_to_chance_follows_from_the_seed(generator):
    start = generator.encode_prompt(tf.constant(pictures()[:, :1]))
    first, same, other = (
        generate_frames(generator, start, 0, 6, 1.0, seed)[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same)
    assert np.array_equal(first, other) != generator.random


def test_none_may_be_asked_for(generator):
    start = generator.encode_prompt(tf.constant(pictures()[:, :2]))
    assert generate_frames(generator, start, 0, 0)[0].shape == (3, 0, BANDS)


def test_a_reloaded_generator_is_the_same(name, generator, tmp_path):
    path = tmp_path / "own.weights.h5"
    generator.save_weights(path)
    other = build(name)
    other.load_weights(path)
    assert float(other.reference_db) == -3.0
    assert np.array_equal(other(pictures()), generator(pictures()))
    assert np.array_equal(other.openings, generator.openings)


def test_openings_are_frames_of_the_examples(generator):
    examples = pictures(20).reshape(-1, BANDS)
    openings = np.asarray(generator.openings)
    assert len(openings) == sequence.OPENINGS
    assert all(np.any(np.all(examples == opening, axis=1)) for opening in openings)


def test_it_learns(name):
    generator = build(name)
    generator.adapt(pictures(20), 0.0, seed=0)
    adam = keras.optimizers.Adam(0.02)
    frames = tf.constant(pictures(8))
    losses = []
    for _ in range(12):
        with tf.GradientTape() as tape:
            loss = generator.loss_of(frames, training=True)
        weights = generator.trainable_variables
        adam.apply(tape.gradient(loss, weights), weights)
        losses.append(float(loss))
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_unknown_ones_are_refused():
    with pytest.raises(ConfigError, match=r"model.name=choir is not one of: .*lstm"):
        sequence.build(ModelConfig(name="choir"), (BANDS, FRAMES, 1))


@pytest.mark.parametrize("options", [{"unit": 3}, {"layers": 0}])
def test_wrong_options_are_refused(name, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build(name, **options)


# Product codes


def test_codes_tell_the_frames_of_the_examples_nearly():
    rng = np.random.default_rng(0)
    frames = rng.normal(0.5, 0.1, (20, 40, 1)) + rng.normal(0, 0.05, (20, 40, BANDS)) ** 3
    generator = build("product_codes", numbers=4, entries=32)
    generator.adapt(frames, 0.0, seed=0)
    told = generator.decode(generator.encode(tf.constant(frames, tf.float32))).numpy()
    assert np.mean((told - frames) ** 2) < 0.05 * np.var(frames)


def test_codes_of_decoded_codes_are_the_same():
    """What was drawn is heard as what it is; where nothing was clipped."""
    generator = build("product_codes")
    generator.adapt(0.4 + 0.2 * pictures(20), 0.0, seed=0)
    codes = np.random.default_rng(0).integers(0, 4, (2, 5, 3))
    again = generator.encode(generator.decode(tf.constant(codes, tf.int32)))
    assert np.array_equal(again, codes)


def test_components_are_dealt_out_by_what_they_tell():
    variances = np.array([16.0, 4.0, 4.0, 1e-9, 1e-9])
    dealt = product_codes._dealt(variances, 2, 8)
    assert [own.tolist() for own in dealt] == [[0], [1, 2]]


def test_too_few_examples_for_a_codebook_are_repeated():
    book = product_codes._codebook(np.array([[1.0], [2.0], [1.0]]), 5, 0)
    assert set(book.ravel()) == {1.0, 2.0}
    assert book.shape == (5, 1)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_entries_are_drawn_as_likely_as_they_are(temperature):
    generator = build("product_codes", numbers=1)
    generator.offsets.assign(tf.ones_like(generator.offsets))
    logits = np.log([0.1, 0.2, 0.3, 0.4])
    likely = np.zeros(generator.likely.shape)
    likely[0, 0] = logits
    generator.likely.assign(likely)
    heard = tf.zeros([4000, generator.heard_features])
    codes = generator.draw(heard, tf.constant(temperature), tf.constant([1, 2])).numpy()
    shares = np.bincount(codes[:, 0], minlength=4) / 4000
    wanted = [0.1, 0.2, 0.3, 0.4] if temperature else [0, 0, 0, 1]
    assert shares == pytest.approx(wanted, abs=0.03)  # four standard deviations
