import numpy as np
import tensorflow as tf

from tfdream.datasets.partition import WHOLE_BATCH, ReplicaSlice


def test_slices_of_a_batch_are_the_batch():
    batches = tf.data.Dataset.range(12).batch(6)
    pairs = tf.data.Dataset.zip(batches, batches.map(lambda numbers: {"square": numbers**2}))
    for source in (batches, pairs):
        parts = [ReplicaSlice(index, 3).apply(source, 6) for index in range(3)]
        for batch, *slices in zip(source, *parts, strict=True):
            flat = [tf.nest.flatten(part) for part in slices]
            for expected, *columns in zip(tf.nest.flatten(batch), *flat, strict=True):
                assert {len(column) for column in columns} == {2}
                assert np.array_equal(tf.concat(columns, axis=0), expected)


def test_a_single_replica_gets_complete_batches():
    batches = tf.data.Dataset.range(12).batch(6)
    assert WHOLE_BATCH.apply(batches, 6) is batches


def test_each_replica_has_another_random_seed():
    seed = tf.constant([1, 2], tf.int64)
    seeds = {tuple(ReplicaSlice(index, 3).seed(seed).numpy()) for index in range(3)}
    assert len(seeds) == 3
    assert WHOLE_BATCH.seed(seed) is seed
