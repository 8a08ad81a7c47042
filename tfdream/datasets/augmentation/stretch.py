"""Random scaling of an image along time and frequency."""

import math
from typing import Annotated, Literal

import keras
import tensorflow as tf
from pydantic import Field, model_validator

from tfdream.config import ImageAugmentationConfig
from tfdream.datasets.augmentation.base import FREQUENCY, TIME, draw, split

_AtLeastOne = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class StretchConfig(ImageAugmentationConfig):
    """An image is stretched or shrunk about a random point, by up to the given factors."""

    kind: Literal["stretch"]
    time_factor: _AtLeastOne = 1.1
    frequency_factor: _AtLeastOne = 1.0

    @model_validator(mode="after")
    def _stretches(self) -> "StretchConfig":
        if self.time_factor == self.frequency_factor == 1:
            raise ValueError(
                "time_factor=1 and frequency_factor=1 change nothing; set one above 1, such as 1.1"
            )
        return self


def augment(image: tf.Tensor, seed: tf.Tensor, config: StretchConfig) -> tf.Tensor:
    """Scale the axes about a random point, by bilinear interpolation.

    Cells outside of a shrunk image are black, as silence and masks are; a repeated edge would be a
    tone or a click that no recording has.
    """
    time_seed, frequency_seed = split(seed, 2)
    x_slope, x_offset = _draw_axis_map(image, time_seed, config.time_factor, TIME)
    y_slope, y_offset = _draw_axis_map(image, frequency_seed, config.frequency_factor, FREQUENCY)
    zero = tf.zeros_like(x_slope)
    rows = [x_slope, zero, x_offset, zero, y_slope, y_offset, zero, zero]
    return keras.ops.image.affine_transform(
        image, tf.stack(rows, axis=1), "bilinear", "constant", 0.0, data_format="channels_last"
    )


def _draw_axis_map(
    image: tf.Tensor, seed: tf.Tensor, limit: float, axis: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw slope and offset `[batch]` of the map from output to input positions."""
    factor_seed, center_seed = split(seed, 2)
    slope = tf.exp(draw(image, factor_seed, -math.log(limit), math.log(limit)))
    center = draw(image, center_seed, 0.0, image.shape[axis] - 1.0)
    return slope, center * (1 - slope)
