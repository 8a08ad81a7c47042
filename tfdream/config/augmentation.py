"""Base sections of augmentations: random changes of training examples.

The sections themselves are in the modules of `tfdream.datasets.augmentation`, beside their code.
"""

from typing import Annotated, ClassVar

from tfdream.config.base import Config
from tfdream.config.registry import Registered


class AugmentationConfig(Config):
    """Base of all augmentation sections. By default an augmentation changes any model input."""

    kind: str
    changes_waveforms: ClassVar[bool] = False
    """Whether it changes samples before the frontend, instead of the frontend's output."""
    needs_images: ClassVar[bool] = False
    """Whether it works on images only."""
    changes_labels: ClassVar[bool] = False
    """Whether the labels are changed in the same way as the inputs."""


class WaveformAugmentationConfig(AugmentationConfig):
    """Base of the augmentations that change waveforms."""

    changes_waveforms: ClassVar[bool] = True


class ImageAugmentationConfig(AugmentationConfig):
    """Base of the augmentations that change a frontend's images."""

    needs_images: ClassVar[bool] = True


AnyAugmentation = Annotated[AugmentationConfig, Registered("tfdream.datasets.augmentation")]
"""A field of any augmentation."""
