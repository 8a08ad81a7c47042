import numpy as np
import pytest
import tensorflow as tf

from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.gram import GramMatrix, flatten, style
from tfdream.synthesis.ascent.objectives import Reference
from tfdream.synthesis.ascent.objectives.base import relative, total
from tfdream.synthesis.ascent.objectives.original import content


def random_activations(shape, seed=0):
    rng = np.random.default_rng(seed)
    return np.maximum(rng.standard_normal(shape), 0).astype(np.float32)


def gram_matrix(activations, over="channels"):
    return GramMatrix.from_tiles([tf.constant(activations)], over)


def value(objective, activations, original=None):
    """The objective of activations, given those of the original (by default the same)."""
    original = {"layer": tf.constant(activations if original is None else original)}
    targets = objective.precompute(Reference(original))
    return objective.value({"layer": tf.constant(activations)}, targets).numpy()


def published_style_loss(style_image, image, weight):
    """λ/(2·n_h·n_w·n_c)² ΣΣ (Gram_S − Gram_G)², summed in float64 as it is printed."""
    height, width, channels = style_image.shape
    first = style_image.reshape(-1, channels).astype(np.float64)
    second = image.reshape(-1, channels).astype(np.float64)
    difference = first.T @ first - second.T @ second
    return weight * (difference**2).sum() / (2 * height * width * channels) ** 2


# Fewer positions than channels and more: two ways of computing the same number.


def test_the_gatys_loss_is_the_published_formula():
    for shape in [(3, 5, 64), (9, 11, 8)]:
        target, images = random_activations((1, *shape), 1), random_activations((2, *shape), 2)
        objective = style("layer", 0.3, gram_matrix(target), "channels", "gatys")
        expected = [published_style_loss(target[0], image, 0.3) for image in images]
        np.testing.assert_allclose(value(objective, images), expected, rtol=1e-4)


def test_the_mse_loss_is_the_published_formula():
    for shape in [(20, 64), (99, 8)]:
        target, image = (random_activations((1, *shape), seed) for seed in (1, 2))
        grams = [
            rows.T.astype(np.float64) @ rows.astype(np.float64) / len(rows)
            for rows in (target[0], image[0])
        ]
        expected = 500 * np.mean((grams[0] - grams[1]) ** 2)
        objective = style("layer", 500, gram_matrix(target), "channels", "mse")
        np.testing.assert_allclose(value(objective, image)[0], expected, rtol=1e-4)


def test_the_content_loss_is_the_published_formula():
    original, image = (random_activations((1, 4, 5, 6), seed) for seed in (1, 2))
    expected = 0.5 * ((original.astype(np.float64) - image) ** 2).sum()
    np.testing.assert_allclose(value(content("layer"), image, original)[0], expected, rtol=1e-4)


def test_the_distance_to_rows_and_to_their_gram_matrix_have_the_same_gradient():
    with_rows = gram_matrix(random_activations((1, 30, 64), 1))
    image = tf.constant(random_activations((1, 20, 64), 2))
    gram = tf.matmul(with_rows.rows, with_rows.rows, transpose_a=True) / with_rows.positions
    without_rows = GramMatrix(None, gram, with_rows.positions, tf.reduce_sum(gram**2))
    gradients = []
    for matrix in (with_rows, without_rows):
        with tf.GradientTape() as tape:
            tape.watch(image)
            distance = matrix.distance(image)
        gradients.append(tape.gradient(distance, image).numpy())
    scale = np.abs(gradients[0]).max()
    np.testing.assert_allclose(gradients[0] / scale, gradients[1] / scale, atol=1e-5)  # float32


def test_the_gram_matrix_of_tiles_is_that_of_the_whole():
    for features in (8, 200):
        whole = random_activations((1, 60, features), 3)
        tiles = [tf.constant(whole[:, start : start + 20]) for start in (0, 20, 40)]
        image = tf.constant(random_activations((1, 30, features), 4))
        np.testing.assert_allclose(
            GramMatrix.from_tiles(tiles, "channels").distance(image).numpy(),
            gram_matrix(whole).distance(image).numpy(),
            rtol=1e-4,
        )


def test_the_distance_to_its_own_gram_matrix_is_zero():
    image = tf.constant(random_activations((1, 40, 64), 5))
    matrix = gram_matrix(image)
    # The difference of numbers as large as ‖G‖², in float32.
    assert abs(float(matrix.distance(image)[0])) < 1e-5 * float(matrix.square)


def test_a_gram_matrix_over_channels_ignores_the_order_of_places_and_over_time_of_channels():
    image = random_activations((1, 4, 6, 8), 6)
    rng = np.random.default_rng(0)
    for over, shuffled in (
        ("channels", image[:, :, rng.permutation(6)]),
        ("time", image[..., rng.permutation(8)]),
    ):
        matrix = gram_matrix(image, over)
        distance = matrix.distance(flatten(tf.constant(shuffled), over))
        assert abs(float(distance[0])) < 1e-5 * float(matrix.square)


def test_a_relative_objective_is_one_at_the_start():
    image, target = random_activations((2, 20, 8), 1), random_activations((1, 20, 8), 2)
    objective = style("layer", 3, gram_matrix(target), "channels", "mse")
    np.testing.assert_allclose(value(relative(objective, to=tf.identity), image), [1, 1], rtol=1e-5)
    silence = relative(content("layer"), to=tf.zeros_like)
    np.testing.assert_allclose(value(silence, np.zeros_like(image), image), [1, 1], rtol=1e-5)


def test_a_sum_of_no_objectives_is_an_error():
    with pytest.raises(ConfigError, match="no layer"):
        total([])


def test_normalized_matrices_are_divided_by_channels_and_positions():
    for shape in [(20, 64), (99, 8)]:
        target, image = (random_activations((1, *shape), seed) for seed in (1, 2))
        grams = [
            rows.T.astype(np.float64) @ rows.astype(np.float64) / rows.size
            for rows in (target[0], image[0])
        ]
        expected = 500 * np.mean((grams[0] - grams[1]) ** 2)
        objective = style("layer", 500, gram_matrix(target), "channels", "normalized_mse")
        np.testing.assert_allclose(value(objective, image)[0], expected, rtol=1e-4)
