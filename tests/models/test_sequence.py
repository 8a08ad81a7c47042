"""Contracts of every sequence model, and particular properties of each."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import ModelConfig
from tfdream.errors import ConfigError
from tfdream.models import sequence
from tfdream.models.sequence import base, product_codes
from tfdream.training import timed_model

BANDS, FRAMES = 12, 9
SMALL = {
    "lstm": {"units": 5, "layers": 2},
    "product_codes": {"units": 5, "layers": 2, "numbers": 3, "entries": 4, "width": 6},
}


def build(name, **options):
    keras.utils.set_random_seed(0)
    config = ModelConfig(name=name, options=SMALL.get(name, {}) | options)
    return sequence.build(config, (BANDS, FRAMES, 1))


def images(batch=3, seed=0):
    """Return frames with two rhythmic bands in noise."""
    rng = np.random.default_rng(seed)
    frames = rng.uniform(0, 0.2, (batch, FRAMES, BANDS))
    frames[:, ::2, 3] += 0.7
    frames[:, 1::3, 8] += 0.5
    return frames.astype(np.float32)


def generate_frames(model, decoder, first, count, temperature=0.0, seed=0):
    frames, decoder = model.generate_frames(
        decoder,
        tf.constant(first),
        tf.constant(count),
        tf.constant(temperature),
        tf.constant(seed, tf.int64),
    )
    return frames.numpy(), decoder


@pytest.fixture(params=sequence.names(), scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    """Return a model that is adapted, but not trained."""
    model = build(name)
    model.adapt(images(20), -3.0, seed=1)
    return model


@pytest.fixture(scope="module")
def mixed(name):
    """Return an adapted model that computes in mixed precision."""
    with timed_model.precision(mixed=True):
        model = build(name)
    model.adapt(images(20), -3.0, seed=1)
    return model


def test_the_published_models_are_discovered():
    assert {"lstm", "product_codes"} <= set(sequence.names())


def test_predictions_are_frames_in_range(model):
    decoded = model(images())
    assert decoded.shape == (3, FRAMES, BANDS)
    assert decoded.dtype == tf.float32
    assert 0 <= float(tf.reduce_min(decoded)) <= float(tf.reduce_max(decoded)) <= 1


def test_predictions_depend_only_on_the_past(model):
    frames = images()
    changed = frames.copy()
    changed[:, 5:] = 1 - changed[:, 5:]
    assert np.array_equal(model(frames)[:, :5], model(changed)[:, :5])


def test_the_gradient_reaches_every_weight(model):
    with tf.GradientTape() as tape:
        loss = model.mean_nll(tf.constant(images()), training=True)
    assert loss.shape == ()
    for weight, gradient in zip(
        model.trainable_variables,
        tape.gradient(loss, model.trainable_variables),
        strict=True,
    ):
        assert gradient is not None, weight.path
        assert np.any(tf.convert_to_tensor(gradient)), weight.path


def test_generation_equals_prediction_from_the_generated_frames(model):
    """This is checked at temperature 0, where sampling is deterministic."""
    start = tf.constant(images()[:, :4])
    generated, _ = generate_frames(model, model.encode_prompt(start), 0, 5)
    assert generated.shape == (3, 5, BANDS)
    whole = tf.concat([start, generated], axis=1)
    # Sums in another order; a code that differs would be far away.
    assert np.allclose(model(whole)[:, 3:-1], generated, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_frames_do_not_depend_on_the_chunk_size(model, temperature):
    start = model.encode_prompt(tf.constant(images()[:, :1]))
    together, end = generate_frames(model, start, 0, 7, temperature, seed=3)
    first, middle = generate_frames(model, start, 0, 3, temperature, seed=3)
    rest, same_end = generate_frames(model, middle, 3, 4, temperature, seed=3)
    # Frames are decoded together, in sums of another order.
    assert np.allclose(together, np.concatenate([first, rest], axis=1), atol=1e-6)
    assert np.allclose(end.code, same_end.code, atol=1e-6)


def test_samples_depend_on_the_seed(model):
    start = model.encode_prompt(tf.constant(images()[:, :1]))
    first, same, other = (generate_frames(model, start, 0, 6, 1.0, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert np.array_equal(first, other) != model.stochastic


def test_zero_frames_can_be_generated(model):
    start = model.encode_prompt(tf.constant(images()[:, :2]))
    assert generate_frames(model, start, 0, 0)[0].shape == (3, 0, BANDS)


def test_a_reloaded_model_is_equal(name, model, tmp_path):
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = build(name)
    other.load_weights(path)
    assert float(other.reference_db) == -3.0
    assert np.array_equal(other(images()), model(images()))
    assert np.array_equal(other.initial_frames, model.initial_frames)


def test_initial_frames_are_frames_of_the_examples(model):
    examples = images(20).reshape(-1, BANDS)
    frames = np.asarray(model.initial_frames)
    assert len(frames) == base.INITIAL_FRAMES
    assert all(np.any(np.all(examples == frame, axis=1)) for frame in frames)


def test_training_reduces_the_loss(name):
    model = build(name)
    model.adapt(images(20), 0.0, seed=0)
    adam = keras.optimizers.Adam(0.05)
    frames = tf.constant(images(8))
    losses = []
    for _ in range(6):
        with tf.GradientTape() as tape:
            loss = model.mean_nll(frames, training=True)
        weights = model.trainable_variables
        adam.apply(tape.gradient(loss, weights), weights)
        losses.append(float(loss))
    assert np.mean(losses[-2:]) < np.mean(losses[:2])


def test_mixed_precision_trains_and_generates(mixed, model):
    frames = tf.constant(images())
    with tf.GradientTape() as tape:
        loss = mixed.mean_nll(frames, training=True)
    weights = mixed.trainable_variables
    assert all(gradient is not None for gradient in tape.gradient(loss, weights))
    assert mixed.recurrent[0].compute_dtype != loss.dtype == tf.float32
    # bfloat16 has 8 bits.
    assert float(mixed.mean_nll(frames)) == pytest.approx(float(model.mean_nll(frames)), rel=0.02)
    assert np.array_equal(mixed.encode(frames), model.encode(frames))
    assert mixed(frames).dtype == tf.float32
    generated, _ = generate_frames(mixed, mixed.encode_prompt(frames[:, :3]), 0, 4, 1.0)
    assert generated.shape == (3, 4, BANDS)
    assert np.isfinite(generated).all()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def free_running_loss(model, frames):
    """The one-to-many loss of two LSTM layers and a dense layer with a sigmoid, in float64."""
    layers = [[w.astype(np.float64) for w in layer.get_weights()] for layer in model.recurrent]
    kernel, bias = (w.astype(np.float64) for w in model.levels.get_weights())
    states = [[np.zeros((len(frames), 5)) for _ in range(2)] for _ in layers]
    frame, errors = frames[:, 0].astype(np.float64), []
    for target in frames[:, 1:].transpose(1, 0, 2):
        x = frame
        for state, (of_input, of_state, offset) in zip(states, layers, strict=True):
            parts = x @ of_input + state[0] @ of_state + offset
            entrance, forget, candidate, exit_ = np.split(parts, 4, axis=1)
            state[1] = sigmoid(forget) * state[1] + sigmoid(entrance) * np.tanh(candidate)
            x = state[0] = sigmoid(exit_) * np.tanh(state[1])
        frame = sigmoid(x @ kernel + bias)
        errors.append((frame - target) ** 2)
    return np.mean(errors)


def test_the_free_running_loss_is_that_of_numpy():
    """The published training: one frame in, all others out."""
    model, frames = build("lstm"), images()
    loss = float(model.free_running_nll(tf.constant(frames)))
    assert loss == pytest.approx(free_running_loss(model, frames), rel=1e-5)  # float32
    decoder = model.encode_prompt(tf.constant(frames[:, :1]))
    generated, _ = generate_frames(model, decoder, 1, FRAMES - 1)
    assert loss == pytest.approx(np.mean((generated - frames[:, 1:]) ** 2), rel=1e-5)
    assert loss != pytest.approx(float(model.mean_nll(tf.constant(frames))), rel=1e-5)


def test_the_free_running_loss_reads_the_first_frame_and_reaches_every_weight():
    model, frames = build("lstm"), tf.constant(images())
    with tf.GradientTape() as tape:
        tape.watch(frames)
        loss = model.free_running_nll(frames)
    gradient, *of_weights = tape.gradient(loss, [frames, *model.trainable_variables])
    assert all(np.abs(each).max() > 0 for each in of_weights)
    # All other frames are targets only, whose gradient is that of the mean squared error.
    decoder = model.encode_prompt(frames[:, :1])
    generated, _ = generate_frames(model, decoder, 1, FRAMES - 1)
    expected = 2 * (frames[:, 1:] - generated) / generated.size
    np.testing.assert_allclose(gradient[:, 1:], expected, atol=1e-6)


def test_an_unknown_model_is_an_error():
    with pytest.raises(ConfigError, match=r"model.name=choir is not one of: .*lstm"):
        sequence.build(ModelConfig(name="choir"), (BANDS, FRAMES, 1))


@pytest.mark.parametrize("options", [{"unit": 3}, {"layers": 0}])
def test_wrong_options_are_an_error(name, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build(name, **options)


# Product codes


def test_codes_approximate_the_frames_of_the_examples():
    rng = np.random.default_rng(0)
    frames = rng.normal(0.5, 0.1, (20, 40, 1)) + rng.normal(0, 0.05, (20, 40, BANDS)) ** 3
    model = build("product_codes", numbers=4, entries=32)
    model.adapt(frames, 0.0, seed=0)
    decoded = model.decode(model.encode(tf.constant(frames, tf.float32))).numpy()
    assert np.mean((decoded - frames) ** 2) < 0.05 * np.var(frames)


def test_codes_of_decoded_codes_are_the_same():
    """Encoding a sampled frame gives its code, if no value is clipped."""
    model = build("product_codes")
    model.adapt(0.4 + 0.2 * images(20), 0.0, seed=0)
    codes = np.random.default_rng(0).integers(0, 4, (2, 5, 3))
    again = model.encode(model.decode(tf.constant(codes, tf.int32)))
    assert np.array_equal(again, codes)


def test_components_are_assigned_by_information():
    variances = np.array([16.0, 4.0, 4.0, 1e-9, 1e-9])
    groups = product_codes._assign_components(variances, 2, 8)
    assert [group.tolist() for group in groups] == [[0], [1, 2]]


def test_components_are_assigned_to_many_integers():
    variances = 0.9 ** np.arange(64)
    groups = product_codes._assign_components(variances, 200, 16)
    assert sum(map(len, groups)) == 64


def test_too_few_examples_for_a_codebook_are_repeated():
    book = product_codes._codebook(np.array([[1.0], [2.0], [1.0]]), 5, 0)
    assert set(book.ravel()) == {1.0, 2.0}
    assert book.shape == (5, 1)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_entries_are_sampled_by_their_probability(temperature):
    model = build("product_codes", numbers=1)
    model.offsets.assign(tf.ones_like(model.offsets))
    logits = np.log([0.1, 0.2, 0.3, 0.4])
    kernels = np.zeros(model.logit_kernels.shape)
    kernels[0, 0] = logits
    model.logit_kernels.assign(kernels)
    activations = tf.zeros([4000, model.output_features])
    codes = model.sample(activations, tf.constant(temperature), tf.constant([1, 2])).numpy()
    shares = np.bincount(codes[:, 0], minlength=4) / 4000
    expected = [0.1, 0.2, 0.3, 0.4] if temperature else [0, 0, 0, 1]
    assert shares == pytest.approx(expected, abs=0.03)  # four standard deviations
