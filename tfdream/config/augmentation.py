"""Base sections of augmentations: random changes of training examples.

The sections themselves are in the modules of `tfdream.datasets.augmentation`, beside their code.
"""

from typing import Annotated, ClassVar

from tfdream.config.base import Config
from tfdream.config.frontends import FrontendConfig
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

    def check_frontend(self, frontend: FrontendConfig) -> None:
        """Check that the augmentation can change the outputs of a frontend.

        Raises:
          ValueError: if it cannot.
        """
        if self.needs_images and not frontend.gives_images:
            raise ValueError(
                f"augmentation {self.kind!r} needs an image, but frontend.kind={frontend.kind} "
                "does not give one; leave it out"
            )


class WaveformAugmentationConfig(AugmentationConfig):
    """Base of the augmentations that change waveforms."""

    changes_waveforms: ClassVar[bool] = True


class ImageAugmentationConfig(AugmentationConfig):
    """Base of the augmentations that change a frontend's images."""

    needs_images: ClassVar[bool] = True


AnyAugmentation = Annotated[AugmentationConfig, Registered("tfdream.datasets.augmentation")]
"""A field of any augmentation."""
