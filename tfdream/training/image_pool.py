"""Earlier translations, from which a discriminator learns beside the latest ones."""

from typing import Any

import keras
import tensorflow as tf


class ImagePool(keras.layers.Layer):
    """Keeps images, and gives back some of the earlier ones for some of the new.

    Until it is full, it keeps all that come and gives them back. Then each one that comes takes,
    one time in two, the place of a kept one, which is given back instead. The images of a batch
    take different places. What is drawn follows from the seed and the number of batches so far;
    devices that share a batch share the pool.

    Args:
      size: how many it keeps; with 0 it gives back what comes.
      shape: of an image.
      seed: of the draws.

    Source: Shrivastava et al., "Learning from simulated and unsupervised images through adversarial
    training", section 2.3; Zhu et al., section 4.
    """

    def __init__(self, size: int, shape: tuple[int, ...], seed: int) -> None:
        super().__init__()
        self.size = size
        self.seed = seed
        if size:
            first = {"trainable": False, "aggregation": "only_first_replica"}
            self.kept = self.add_weight((size, *shape), "zeros", "float32", name="kept", **first)
            self.batches = self.add_weight((), "zeros", "int64", name="batches", **first)
            self.count = self.add_weight((), "zeros", "int32", name="count", **first)
        self.built = True

    def draw(self, images: tf.Tensor) -> tf.Tensor:
        """Put images `[batch, height, width, channels]` in, and take as many out."""
        if not self.size:
            return images
        replica: Any = tf.distribute.get_replica_context()
        if replica.num_replicas_in_sync == 1:
            return self._draw(images)
        own = tf.shape(images)[0]
        drawn = self._draw(replica.all_gather(images, axis=0))
        first = own * replica.replica_id_in_sync_group
        return drawn[first : first + own]

    def _draw(self, images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        new = tf.shape(images)[0]
        kept, count = tf.convert_to_tensor(self.kept), tf.convert_to_tensor(self.count)
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.convert_to_tensor(self.batches)])
        order, choice = tf.unstack(tf.random.split(seed, 2))

        numbers = tf.range(new)
        free = tf.minimum(
            self.size - count, new
        )  # places that hold nothing yet, for the first ones
        scores = tf.random.stateless_uniform([self.size], order)
        taken = tf.math.top_k(tf.where(tf.range(self.size) < count, scores, -1.0), new).indices
        places = tf.where(
            numbers < free, count + numbers, tf.gather(taken, tf.maximum(numbers - free, 0))
        )
        swapped = (tf.random.stateless_uniform([new], choice) < 0.5) & (numbers >= free)
        earlier = tf.gather(kept, places)

        def choose(which: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
            return tf.where(which[:, None, None, None], one, other)

        stays = choose(swapped | (numbers < free), images, earlier)
        self.kept.assign(tf.tensor_scatter_nd_update(kept, places[:, None], stays))
        self.batches.assign(self.batches + 1)
        self.count.assign(count + free)
        return choose(swapped, earlier, images)
