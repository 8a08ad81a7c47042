"""ResNet-50 as Keras has it, on gray images.

Source: He et al., "Deep residual learning for image recognition"; for spectrograms, "On the
Generation of Music", section 5, where it overfits.
"""

from typing import Any

import keras
from keras import layers

from tfdream.models.parts import imagenet


def build(
    input_shape: tuple[int, int, int], classes: int, *, weights: str = "random"
) -> keras.Model:
    """Build it; its convolutions are ``conv1_conv`` … ``conv5_block3_3_conv``.

    Args:
      input_shape: height, width and channels: one, which is repeated, or three; in [0, 1], which
        are scaled and centered as for ImageNet.
      classes: number of labels.
      weights: of the convolutions: ``random``, ``imagenet`` (downloaded by Keras), or the path of
        a weights file without the dense layer.

    Raises:
      ModelError: if the weights cannot be had.
    """
    image = keras.Input(input_shape, name="image")
    network = imagenet.load(
        keras.applications.ResNet50,
        weights,
        input_tensor=imagenet.gray_to_bgr(image),
        pooling=None,
    )
    x = layers.GlobalAveragePooling2D(name="embedding")(network.output)
    logits = layers.Dense(classes, name="logits", dtype="float32")(x)
    probabilities = layers.Softmax(name="probabilities", dtype="float32")(logits)
    model = keras.models.clone_model(
        keras.Model(image, probabilities, name="resnet50"), clone_function=_mirrored
    )
    if weights != "random":
        *_, kernel, bias = model.get_weights()
        model.set_weights([*network.get_weights(), kernel, bias])
    return model


def _mirrored(layer: keras.Layer) -> keras.Layer:
    """The layer anew; batch normalization so that all replicas keep the same statistics."""
    config: dict[str, Any] = layer.get_config()
    if isinstance(layer, layers.BatchNormalization):
        config["synchronized"] = True
    return type(layer).from_config(config)
