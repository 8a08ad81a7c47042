from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from tfdream.datasets.shuffling import EpochPlan, shuffled_ids, shuffled_stream


def test_the_windows_of_a_round_have_different_orders():
    one_shard = SimpleNamespace(clips=24, shards=(None,))
    plan = EpochPlan(batch_size=24, steps=1, seed=3)
    stream = shuffled_stream(one_shard, lambda _: tf.data.Dataset.range(24), 8, plan)
    orders = [
        tuple(window % 8)
        for epoch in stream.take(2).as_numpy_iterator()
        for window in epoch.reshape(3, 8)
    ]
    assert len(set(orders)) == 6
    assert all(sorted(order) == list(range(8)) for order in orders)


def test_orders_are_those_of_the_seed():
    """Interrupted training continues with them, whatever version of the package started it."""
    plan = EpochPlan(batch_size=2, steps=3, seed=7, first_epoch=1)  # two rounds: 4 clips and 2
    two_shards = SimpleNamespace(clips=4, shards=(None, None))
    ids = np.arange(10, 14)

    def open_stream(order):
        shards = tf.data.Dataset.from_tensor_slices(order)
        return shards.map(lambda shard: 10 + 2 * shard + tf.range(2)).unbatch()

    streams = [shuffled_ids(ids, plan), shuffled_stream(two_shards, open_stream, 3, plan)]
    orders = [np.reshape([*stream.take(6).as_numpy_iterator()], (2, 6)) for stream in streams]
    assert orders[0].tolist() == [[13, 12, 10, 11, 10, 12], [10, 13, 12, 11, 10, 11]]
    assert orders[1].tolist() == [[12, 13, 10, 11, 12, 10], [12, 11, 10, 13, 12, 10]]
