import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets.cache import LazyCache

CLIPS = 12


@pytest.fixture
def made():
    """The numbers of the clips that were made, as they were."""
    return []


@pytest.fixture
def kept(made):
    """Squares, and names, of numbers."""

    def note(number):
        made.append(int(number))
        return np.float32(number**2)

    def make(number):
        square = tf.ensure_shape(tf.numpy_function(note, [number], tf.float32), [])
        return tf.fill([3], tf.cast(square, tf.float16)), tf.strings.as_string(number)

    return LazyCache(CLIPS, make, [tf.TensorSpec([3], tf.float16), tf.TensorSpec([], tf.string)])


def look_up(kept, batches):
    """What a pipeline finds."""
    numbers = tf.data.Dataset.from_tensor_slices(np.array(batches))
    found = numbers.map(kept.of, num_parallel_calls=2, deterministic=True)
    return list(found.as_numpy_iterator())


def test_every_clip_is_made_once_and_only_when_it_is_asked_for(kept, made):
    first = look_up(kept, [[5, 2]])
    assert sorted(made) == [2, 5]
    look_up(kept, [[5, 7]])
    again = look_up(kept, [[5, 2]])
    assert sorted(made) == [2, 5, 7]
    for one, other in zip(first[0], again[0], strict=True):
        assert np.array_equal(one, other)


def test_everyone_gets_what_they_asked_for_in_their_order(kept):
    batches = np.random.default_rng(0).permutation(4 * CLIPS).reshape(8, 6) % CLIPS
    for numbers, (squares, names) in zip(batches, look_up(kept, batches), strict=True):
        assert squares.dtype == np.float16
        assert np.array_equal(squares, np.repeat(numbers[:, np.newaxis] ** 2, 3, axis=1))
        assert names.tolist() == [str(number).encode() for number in numbers]


def test_a_clip_may_be_asked_for_twice_in_a_batch(kept, made):
    ((squares, _),) = look_up(kept, [[3, 3, 1, 3]])
    assert squares[:, 0].tolist() == [9, 9, 1, 9]
    assert sorted(made) == [1, 3]


def test_shapes_are_known_beforehand(kept):
    spec = tf.data.Dataset.range(8).batch(4, drop_remainder=True).map(kept.of).element_spec
    assert [each.shape.as_list() for each in spec] == [[4, 3], [4]]
