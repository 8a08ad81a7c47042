import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets.cache import LazyCache

CLIP_IDS = np.array([0, 1, 2, 3, 5, 7, 8, 11])  # a subset: ids are not positions
SIGNATURE = [tf.TensorSpec([3], tf.float16), tf.TensorSpec([], tf.string)]


@pytest.fixture
def computed():
    """The ids of the computed clips, in the order of their computation."""
    return []


@pytest.fixture
def cache(computed):
    """Squares of the ids, and the ids as text."""

    def square(clip_id):
        computed.append(int(clip_id))
        return np.float32(clip_id**2)

    def compute(clip_id):
        value = tf.ensure_shape(tf.numpy_function(square, [clip_id], tf.float32), [])
        return tf.fill([3], tf.cast(value, tf.float16)), tf.strings.as_string(clip_id)

    return LazyCache(CLIP_IDS, compute, SIGNATURE)


def look_up(cache, batches):
    """Look up batches of ids in a parallel pipeline."""
    ids = tf.data.Dataset.from_tensor_slices(np.array(batches))
    results = ids.map(cache.lookup, num_parallel_calls=2, deterministic=True)
    return list(results.as_numpy_iterator())


def test_clips_are_computed_on_first_access_and_only_once(cache, computed):
    first = look_up(cache, [[5, 2]])
    assert sorted(computed) == [2, 5]
    look_up(cache, [[5, 7]])
    again = look_up(cache, [[5, 2]])
    assert sorted(computed) == [2, 5, 7]
    for column, same in zip(first[0], again[0], strict=True):
        assert np.array_equal(column, same)


def test_values_are_returned_in_the_requested_order(cache):
    order = np.random.default_rng(0).permutation(4 * len(CLIP_IDS)) % len(CLIP_IDS)
    batches = CLIP_IDS[order].reshape(8, 4)
    for ids, (squares, names) in zip(batches, look_up(cache, batches), strict=True):
        assert squares.dtype == np.float16
        assert np.array_equal(squares, np.repeat(ids[:, np.newaxis] ** 2, 3, axis=1))
        assert names.tolist() == [str(clip_id).encode() for clip_id in ids]


def test_a_clip_may_occur_twice_in_a_batch(cache, computed):
    ((squares, _),) = look_up(cache, [[3, 3, 1, 3]])
    assert squares[:, 0].tolist() == [9, 9, 1, 9]
    assert sorted(computed) == [1, 3]


def test_shapes_are_static(cache):
    spec = tf.data.Dataset.range(8).batch(4, drop_remainder=True).map(cache.lookup).element_spec
    assert [each.shape.as_list() for each in spec] == [[4, 3], [4]]
