import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfdream.training.image_pool import ImagePool

SHAPE = (2, 3, 1)


def make_images(first, count):
    """Images with consecutive numbers as values."""
    values = tf.range(first, first + count, dtype=tf.float32)
    return tf.tile(values[:, None, None, None], [1, *SHAPE])


def read_numbers(images):
    """The numbers of images, each of which is complete."""
    images = np.asarray(images)
    assert (images == images[:, :1, :1, :1]).all()
    return images[:, 0, 0, 0].astype(int).tolist()


def stored_numbers(pool):
    return set(read_numbers(pool.stored[: int(pool.count)]))


def exchange(pool, batches, batch_size, first=1):
    """Exchange batches of images with consecutive numbers; return the numbers of the results."""
    # Building the graph takes longer than a few exchanges.
    function = tf.function(pool.exchange, autograph=False) if batches > 20 else pool.exchange
    return [
        read_numbers(function(make_images(first + batch * batch_size, batch_size)))
        for batch in range(batches)
    ]


def test_a_pool_returns_every_image_until_it_is_full():
    pool = ImagePool(6, SHAPE, seed=0)
    assert exchange(pool, 3, 2) == [[1, 2], [3, 4], [5, 6]]
    assert stored_numbers(pool) == {1, 2, 3, 4, 5, 6}


def test_a_batch_fills_the_empty_places_and_swaps_its_other_images():
    swapped = set()
    for seed in range(6):
        pool = ImagePool(6, SHAPE, seed)
        exchange(pool, 1, 4)
        (result,) = exchange(pool, 1, 4, first=5)
        assert result[:2] == [5, 6]
        stored = stored_numbers(pool)
        assert {5, 6} < stored
        assert len(stored) == 6
        for new, returned in zip((7, 8), result[2:], strict=True):
            assert returned == new or (returned in {1, 2, 3, 4} and new in stored)
            swapped.add(returned != new)
    assert swapped == {True, False}


def test_no_image_is_lost_or_stored_twice():
    for batch_size in (1, 3, 5):
        pool = ImagePool(5, SHAPE, seed=1)
        function = tf.function(pool.exchange, autograph=False)
        before = set()
        for batch in range(40):
            new = range(1 + batch * batch_size, 1 + (batch + 1) * batch_size)
            returned = read_numbers(function(make_images(new[0], batch_size)))
            now = stored_numbers(pool)
            # Images in places that were empty are both stored and returned.
            filled = set(new) & now & set(returned)
            assert len(filled) == min(batch_size, 5 - len(before))
            assert len(now) == min(5, (batch + 1) * batch_size)
            for number, other in zip(new, returned, strict=True):
                if other == number:
                    assert number not in now or number in filled
                else:
                    assert other in before
                    assert other not in now
                    assert number in now
            assert now == (before - set(returned)) | (set(new) - set(returned)) | filled
            before = now


def test_every_second_image_is_swapped_once_the_pool_is_full():
    pool = ImagePool(20, SHAPE, seed=2)
    exchange(pool, 5, 4)
    results = exchange(pool, 250, 4, first=21)
    swapped = [returned != new for new, returned in enumerate(itertools.chain(*results), 21)]
    assert np.mean(swapped) == pytest.approx(0.5, abs=0.06)  # four deviations of 1000 images
    # At every place of the batch.
    np.testing.assert_allclose(np.reshape(swapped, (-1, 4)).mean(axis=0), 0.5, atol=0.13)


def test_every_place_is_swapped():
    pool = ImagePool(8, SHAPE, seed=2)
    exchange(pool, 2, 4)
    exchange(pool, 40, 4, first=9)
    assert not stored_numbers(pool) & set(range(1, 9))


def test_results_depend_on_the_seed_and_the_number_of_batches():
    def results(seed):
        return exchange(ImagePool(4, SHAPE, seed), 20, 2)

    assert results(3) == results(3)
    assert results(3) != results(4)
    differences = {tuple(np.subtract(batch, batch[0] - batch[0] % 2)) for batch in results(3)[2:]}
    assert len(differences) > 2


def test_a_pool_without_places_returns_its_input():
    pool = ImagePool(0, SHAPE, seed=0)
    images = make_images(1, 3)
    assert pool.exchange(images) is images
    assert pool.weights == []


def test_stored_images_are_part_of_the_state_and_not_trained():
    pool = ImagePool(4, SHAPE, seed=5)
    exchange(pool, 7, 2)
    other = ImagePool(4, SHAPE, seed=5)
    other.set_weights(pool.get_weights())
    assert stored_numbers(other) == stored_numbers(pool)
    assert exchange(pool, 10, 2, first=15) == exchange(other, 10, 2, first=15)
    assert pool.trainable_variables == []


def test_images_of_half_precision_are_stored_as_float32():
    pool = ImagePool(2, SHAPE, seed=0)
    assert pool.exchange(tf.cast(make_images(1, 2), tf.bfloat16)).dtype == tf.float32
