import numpy as np
import pytest
import tensorflow as tf

from tfdream.training.image_pool import ImagePool

SHAPE = (2, 3, 1)


def numbered(first, count):
    """Images that are told apart by their value."""
    values = tf.range(first, first + count, dtype=tf.float32)
    return tf.tile(values[:, None, None, None], [1, *SHAPE])


def numbers(images):
    """Which images these are; every one is whole."""
    images = np.asarray(images)
    assert (images == images[:, :1, :1, :1]).all()
    return images[:, 0, 0, 0].astype(int).tolist()


def held(pool):
    return set(numbers(pool.kept[: int(pool.count)]))


def draws(pool, batches, batch_size, first=1):
    """What the pool gives back, batch by batch, of images numbered in their order."""
    draw = tf.function(pool.draw)
    return [
        numbers(draw(numbered(first + batch * batch_size, batch_size))) for batch in range(batches)
    ]


def test_a_pool_gives_back_what_came_until_it_is_full():
    pool = ImagePool(6, SHAPE, seed=0)
    assert draws(pool, 3, 2) == [[1, 2], [3, 4], [5, 6]]
    assert held(pool) == {1, 2, 3, 4, 5, 6}


def test_a_batch_that_is_larger_than_what_is_free_fills_it_and_changes_places_with_the_others():
    seen = set()
    for seed in range(6):
        pool = ImagePool(6, SHAPE, seed)
        draws(pool, 1, 4)
        (found,) = draws(pool, 1, 4, first=5)
        assert found[:2] == [5, 6]
        assert {5, 6} < held(pool)
        assert len(held(pool)) == 6
        for new, given in zip((7, 8), found[2:], strict=True):
            assert given == new or (given in {1, 2, 3, 4} and new in held(pool))
            seen.add(given == new)
    assert seen == {True, False}


@pytest.mark.parametrize("batch_size", [1, 3, 5])
def test_no_image_is_lost_and_none_is_kept_twice(batch_size):
    pool = ImagePool(5, SHAPE, seed=1)
    draw = tf.function(pool.draw)
    before = set()
    for batch in range(40):
        new = range(1 + batch * batch_size, 1 + (batch + 1) * batch_size)
        given = numbers(draw(numbered(new[0], batch_size)))
        filled = set(new) - (set(new) - held(pool)) if len(before) < 5 else set()
        now = held(pool)
        assert len(now) == min(5, (batch + 1) * batch_size)
        for own, other in zip(new, given, strict=True):
            if other == own:
                assert own not in now or own in filled
            else:
                assert other in before
                assert other not in now
                assert own in now
        assert now == (before - set(given)) | (set(new) - set(given)) | filled
        before = now


def test_every_second_image_changes_places_once_the_pool_is_full():
    pool = ImagePool(20, SHAPE, seed=2)
    draws(pool, 5, 4)
    found = draws(pool, 250, 4, first=21)
    swapped = [
        given != new for new, given in enumerate((one for batch in found for one in batch), 21)
    ]
    assert np.mean(swapped) == pytest.approx(0.5, abs=0.06)  # four deviations of 1000 draws
    # Whichever place of the batch it has.
    np.testing.assert_allclose(np.reshape(swapped, (-1, 4)).mean(axis=0), 0.5, atol=0.13)


def test_every_place_changes_hands():
    pool = ImagePool(20, SHAPE, seed=2)
    draws(pool, 5, 4)
    draws(pool, 100, 4, first=21)
    assert not held(pool) & set(range(1, 21))


def test_the_seed_and_the_number_of_batches_decide_what_is_drawn():
    def of(seed):
        return draws(ImagePool(4, SHAPE, seed), 20, 2)

    assert of(3) == of(3)
    assert of(3) != of(4)
    differences = {tuple(np.subtract(batch, batch[0] - batch[0] % 2)) for batch in of(3)[2:]}
    assert len(differences) > 2


def test_a_pool_without_places_gives_back_what_comes():
    pool = ImagePool(0, SHAPE, seed=0)
    images = numbered(1, 3)
    assert pool.draw(images) is images
    assert pool.weights == []


def test_what_a_pool_keeps_is_part_of_its_state_and_not_learnt():
    pool = ImagePool(4, SHAPE, seed=5)
    draws(pool, 7, 2)
    other = ImagePool(4, SHAPE, seed=5)
    other.set_weights(pool.get_weights())
    assert held(other) == held(pool)
    assert draws(pool, 10, 2, first=15) == draws(other, 10, 2, first=15)
    assert pool.trainable_variables == []


def test_images_of_half_precision_are_kept_as_float32():
    pool = ImagePool(2, SHAPE, seed=0)
    assert pool.draw(tf.cast(numbered(1, 2), tf.bfloat16)).dtype == tf.float32
