"""Settings of translation between two genres: training of a CycleGAN, and its application."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Count, NotNegative, Positive, Share
from tfdream.config.canvases import AnyLevelCanvas
from tfdream.config.frontends import AnyStftFrontend
from tfdream.config.recipes import RenderConfig
from tfdream.config.training import (
    BaseExperiment,
    BaseTrainingConfig,
    ModelConfig,
)


class TranslationTrainingConfig(BaseTrainingConfig):
    """Training settings of a CycleGAN: two generators and two discriminators.

    Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
    networks", sections 3 and 4; the defaults are theirs.
    """

    epochs: Count = 200
    batch_size: Count = 1
    learning_rate: Positive = 2e-4
    beta_1: Share = 0.5
    """Adam's decay rate of the first moment."""
    decay_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the epochs, the last ones, over which the learning rate decays linearly to zero."""
    adversarial: Literal["least_squares", "cross_entropy"] = "least_squares"
    cycle_weight: NotNegative = 10.0
    """Weight λ of the cycle loss: mean absolute difference of an image and its reconstruction."""
    identity_weight: NotNegative = 0.5
    """Weight, relative to λ, of the identity loss: translation of an image to its own genre."""
    pool_images: Annotated[int, Field(ge=0)] = 50
    """Size of the pool of earlier translations for the discriminators; 0 uses the latest only."""
    validate_on: Literal["test", "none"] = "test"
    preview_every: Count = 5
    """Epochs from one preview in TensorBoard to the next."""
    preview_clips: Count = 2
    """Number of held-out clips of each genre in a preview."""

    @property
    def ends_with_epochs(self) -> bool:
        return self.decay_share > 0

    @model_validator(mode="after")
    def _pool_holds_a_batch(self) -> "TranslationTrainingConfig":
        if 0 < self.pool_images < self.batch_size:
            raise ValueError(
                f"pool_images={self.pool_images} is less than batch_size={self.batch_size}; "
                "use more, or 0"
            )
        return self


class TranslationExperiment(BaseExperiment):
    """Settings of `prepare` and `train` for a CycleGAN."""

    task: Literal["translate"]
    frontend: AnyStftFrontend
    labels: tuple[str, str] | None = None
    """The two genres; null uses the labels of a dataset that has two."""
    model: ModelConfig
    training: TranslationTrainingConfig = TranslationTrainingConfig()

    @model_validator(mode="after")
    def _images_are_levels(self) -> "TranslationExperiment":
        if self.frontend.channels != ("level",):
            raise ValueError(
                f"frontend.kind={self.frontend.kind} does not give levels in [0, 1] alone, which "
                "translation needs; use amplitude or mel"
            )
        if self.frontend.level_range != "top_db":
            raise ValueError(
                f"frontend.level_range={self.frontend.level_range} depends on each clip, but "
                "translation needs levels in dB on one scale; use top_db"
            )
        if self.labels is not None and self.labels[0] == self.labels[1]:
            raise ValueError(f"labels={list(self.labels)} are the same; name two")
        return self


class TranslateConfig(RenderConfig):
    """Settings of `translate`: how the change of an image is applied to a recording."""

    packaged_in: ClassVar[str] = "translate"
    canvas: AnyLevelCanvas = Field({"kind": "gains", "bound_db": 24}, validate_default=True)
    """Gains on the original's STFT, which is that of the run's frontend; or its log magnitude, with
    a reconstructed phase."""
