"""A history of generated images for the training of discriminators."""

from typing import Any

import keras
import tensorflow as tf

from tfdream.datasets.augmentation.base import split


class ImagePool(keras.layers.Layer):
    """Stores images and returns some of the stored ones instead of new ones.

    Until the pool is full, it stores and returns every image. After that, with probability ½, it
    swaps a new image with a stored one and returns the stored one. The images of one batch use
    different places. Random numbers depend on the seed and the number of batches so far; replicas
    of one batch share the pool.

    Args:
      size: number of stored images; 0 returns every image unchanged.
      shape: shape of an image.
      seed: random seed.

    Source: Shrivastava et al., "Learning from simulated and unsupervised images through adversarial
    training", section 2.3; Zhu et al., section 4.
    """

    def __init__(self, size: int, shape: tuple[int, ...], seed: int) -> None:
        super().__init__()
        self.size = size
        self.seed = seed
        if size:
            first = {"trainable": False, "aggregation": "only_first_replica"}
            self.stored = self.add_weight(
                (size, *shape), "zeros", "float32", name="stored", **first
            )
            self.batches = self.add_weight((), "zeros", "int64", name="batches", **first)
            self.count = self.add_weight((), "zeros", "int32", name="count", **first)
        self.built = True

    def exchange(self, images: tf.Tensor) -> tf.Tensor:
        """Exchange images `[batch, height, width, channels]` with the pool."""
        if not self.size:
            return images
        replica: Any = tf.distribute.get_replica_context()
        if replica.num_replicas_in_sync == 1:
            return self._exchange(images)
        own = tf.shape(images)[0]
        drawn = self._exchange(replica.all_gather(images, axis=0))
        first = own * replica.replica_id_in_sync_group
        return drawn[first : first + own]

    def _exchange(self, images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        new = tf.shape(images)[0]
        stored, count = tf.convert_to_tensor(self.stored), tf.convert_to_tensor(self.count)
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.convert_to_tensor(self.batches)])
        order, choice = split(seed, 2)

        numbers = tf.range(new)
        free = tf.minimum(self.size - count, new)  # empty places, used by the first images
        scores = tf.random.stateless_uniform([self.size], order)
        taken = tf.math.top_k(tf.where(tf.range(self.size) < count, scores, -1.0), new).indices
        places = tf.where(
            numbers < free, count + numbers, tf.gather(taken, tf.maximum(numbers - free, 0))
        )
        swapped = (tf.random.stateless_uniform([new], choice) < 0.5) & (numbers >= free)
        earlier = tf.gather(stored, places)

        def choose(which: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
            return tf.where(which[:, None, None, None], one, other)

        stays = choose(swapped | (numbers < free), images, earlier)
        self.stored.assign(tf.tensor_scatter_nd_update(stored, places[:, None], stays))
        self.batches.assign(self.batches + 1)
        self.count.assign(count + free)
        return choose(swapped, earlier, images)
