"""ResNet-50 from Keras, on gray images.

Source: He et al., "Deep residual learning for image recognition"; for spectrograms, "On the
Generation of Music", section 5, where it overfits.
"""

from typing import Any

import keras
from keras import layers

from tfdream.models.parts import imagenet
from tfdream.models.parts.outputs import add_outputs


def build(
    input_shape: tuple[int, int, int], classes: int, *, weights: str = "random"
) -> keras.Model:
    """Build the model; its convolutions are ``conv1_conv`` … ``conv5_block3_3_conv``.

    Args:
      input_shape: height, width and channels of images in [0, 1]. One channel is repeated to
        three; the values are scaled and centered for ImageNet's weights.
      classes: number of labels.
      weights: weights of the convolutions: ``random``, ``imagenet`` (downloaded by Keras), or the
        path of a weights file without the dense layer.

    Raises:
      ModelError: if the weights cannot be loaded.
    """
    image = keras.Input(input_shape, name="image")
    network = imagenet.load(
        keras.applications.ResNet50,
        weights,
        imagenet.gray_to_bgr(image),
    )
    x = layers.GlobalAveragePooling2D(name="embedding")(network.output)
    model = keras.models.clone_model(
        keras.Model(image, add_outputs(x, classes), name="resnet50"), clone_function=_synchronized
    )
    if weights != "random":
        *_, kernel, bias = model.get_weights()
        model.set_weights([*network.get_weights(), kernel, bias])
    return model


def _synchronized(layer: keras.Layer) -> keras.Layer:
    """Return a copy of the layer; batch normalization is synchronized over replicas."""
    config: dict[str, Any] = layer.get_config()
    if isinstance(layer, layers.BatchNormalization):
        config["synchronized"] = True
    return type(layer).from_config(config)
