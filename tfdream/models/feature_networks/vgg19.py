"""VGG-19 without its dense layers, for images of any size.

Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition"; for spectrograms, "Dreaming in Music" and "On the Generation of Music".
"""

import keras

from tfdream.models.parts import imagenet

PUBLISHED = imagenet.PublishedWeights(
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    md5="253f8cb515780f3b799900260a226db6",
)
"""ImageNet's weights without dense layers, 80 MB. Source: `keras.applications.vgg19`."""


def build(
    input_shape: tuple[int, int, int], *, weights: str = "imagenet", seed: int = 0
) -> keras.Model:
    """Build the network; its layers are ``block1_conv1`` … ``block5_conv4`` and pooling layers.

    Args:
      input_shape: height, width and one channel of images in [0, 1]. They are repeated to three
        channels, scaled to 255 and centered for ImageNet's weights. The network accepts any size.
      weights: ``imagenet`` (from Keras' cache, or downloaded by Keras), ``random``, or the path of
        a weights file. A file with the name of Keras' must have its hash.
      seed: seed of random weights.

    Raises:
      ModelError: if the weights cannot be loaded.
    """
    image = keras.Input((None, None, input_shape[2]), name="image")
    keras.utils.set_random_seed(seed)
    centered = imagenet.gray_to_bgr(image)
    network = imagenet.load(keras.applications.VGG19, weights, centered, PUBLISHED)
    return keras.Model(image, network.output, name="vgg19")
