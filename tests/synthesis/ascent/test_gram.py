import numpy as np
import pytest
import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.gram import GramMatrix, flatten, style
from tfdream.synthesis.ascent.objectives import Reference
from tfdream.synthesis.ascent.objectives.base import relative, total
from tfdream.synthesis.ascent.objectives.original import content


def activations(shape, seed=0):
    rng = np.random.default_rng(seed)
    return np.maximum(rng.standard_normal(shape), 0).astype(np.float32)


def value(objective, found, original=None):
    original = {"layer": tf.constant(found if original is None else original)}
    targets = objective.precompute(Reference(original))
    return objective.value({"layer": tf.constant(found)}, targets).numpy()


def published_style_loss(style_image, image, weight):
    """λ/(2·n_h·n_w·n_c)² ΣΣ (Gram_S − Gram_G)², summed in float64 as it is printed."""
    height, width, channels = style_image.shape
    first = style_image.reshape(-1, channels).astype(np.float64)
    second = image.reshape(-1, channels).astype(np.float64)
    difference = first.T @ first - second.T @ second
    return weight * (difference**2).sum() / (2 * height * width * channels) ** 2


# Fewer positions than channels, and more: the two ways to the same number.
@pytest.mark.parametrize("shape", [(3, 5, 64), (9, 11, 8)])
def test_the_gatys_loss_is_the_published_formula(shape):
    wanted, own = activations((1, *shape), 1), activations((2, *shape), 2)
    texture = GramMatrix.from_tiles([tf.constant(wanted)], "channels")
    objective = style("layer", 0.3, texture, "channels", "gatys")
    expected = [published_style_loss(wanted[0], image, 0.3) for image in own]
    np.testing.assert_allclose(value(objective, own), expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(20, 64), (99, 8)])
def test_the_mse_loss_is_the_published_formula(shape):
    wanted, own = activations((1, *shape), 1), activations((1, *shape), 2)
    texture = GramMatrix.from_tiles([tf.constant(wanted)], "channels")
    grams = [
        rows.T.astype(np.float64) @ rows.astype(np.float64) / len(rows)
        for rows in (wanted[0], own[0])
    ]
    expected = 500 * np.mean((grams[0] - grams[1]) ** 2)
    objective = style("layer", 500, texture, "channels", "mse")
    np.testing.assert_allclose(value(objective, own)[0], expected, rtol=1e-4)


def test_the_content_loss_is_the_published_formula():
    original, own = activations((1, 4, 5, 6), 1), activations((1, 4, 5, 6), 2)
    expected = 0.5 * ((original.astype(np.float64) - own) ** 2).sum()
    np.testing.assert_allclose(value(content("layer"), own, original)[0], expected, rtol=1e-4)


def test_both_ways_to_the_distance_have_the_same_gradient():
    wanted, own = activations((1, 30, 64), 1), tf.constant(activations((1, 20, 64), 2))
    kept = GramMatrix.from_tiles([tf.constant(wanted)], "channels")
    gram = tf.matmul(kept.rows, kept.rows, transpose_a=True) / kept.positions
    summed = GramMatrix(None, gram, kept.positions, tf.reduce_sum(gram**2))
    gradients = []
    for texture in (kept, summed):
        with tf.GradientTape() as tape:
            tape.watch(own)
            distance = texture.distance(own)
        gradients.append(tape.gradient(distance, own).numpy())
    scale = np.abs(gradients[0]).max()
    np.testing.assert_allclose(gradients[0] / scale, gradients[1] / scale, atol=1e-5)  # float32


@pytest.mark.parametrize("features", [8, 200])
def test_a_texture_read_in_tiles_is_that_of_the_whole(features):
    whole = activations((1, 60, features), 3)
    tiles = [tf.constant(whole[:, start : start + 20]) for start in (0, 20, 40)]
    together = GramMatrix.from_tiles([tf.constant(whole)], "channels")
    in_tiles = GramMatrix.from_tiles(tiles, "channels")
    own = tf.constant(activations((1, 30, features), 4))
    np.testing.assert_allclose(
        in_tiles.distance(own).numpy(), together.distance(own).numpy(), rtol=1e-4
    )


def test_a_recording_has_no_distance_from_its_own_texture():
    own = tf.constant(activations((1, 40, 64), 5))
    texture = GramMatrix.from_tiles([own], "channels")
    # The difference of numbers as large as ‖G‖², in float32.
    assert abs(float(texture.distance(own)[0])) < 1e-5 * float(texture.square)


def test_over_channels_places_do_not_matter_and_over_time_channels_do_not():
    own = activations((1, 4, 6, 8), 6)
    rng = np.random.default_rng(0)
    for over, shuffled in (
        ("channels", own[:, :, rng.permutation(6)]),
        ("time", own[..., rng.permutation(8)]),
    ):
        texture = GramMatrix.from_tiles([tf.constant(own)], over)
        distance = texture.distance(flatten(tf.constant(shuffled), over))
        assert abs(float(distance[0])) < 1e-5 * float(texture.square)


def test_a_relative_objective_is_one_where_it_began():
    own, wanted = activations((2, 20, 8), 1), activations((1, 20, 8), 2)
    texture = GramMatrix.from_tiles([tf.constant(wanted)], "channels")
    objective = relative(style("layer", 3, texture, "channels", "mse"), to=tf.identity)
    np.testing.assert_allclose(value(objective, own), [1, 1], rtol=1e-5)
    silence = relative(content("layer"), to=tf.zeros_like)
    np.testing.assert_allclose(value(silence, np.zeros_like(own), own), [1, 1], rtol=1e-5)


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="no layer"):
        total([])
