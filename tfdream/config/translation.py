"""Settings of translation between two genres: how it is learnt, and how it is applied."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Count, NotNegative, Positive, Share
from tfdream.config.canvases import GainCanvasConfig, LogMagnitudeCanvasConfig
from tfdream.config.frontends import AnyStftFrontend
from tfdream.config.recipes import RenderConfig
from tfdream.config.training import (
    BaseExperiment,
    BaseTrainingConfig,
    ModelConfig,
)


class TranslationTrainingConfig(BaseTrainingConfig):
    """How two generators and two discriminators are fitted.

    Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
    networks", sections 3 and 4; the defaults are theirs.
    """

    epochs: Count = 200
    batch_size: Count = 1
    learning_rate: Positive = 2e-4
    beta_1: Share = 0.5
    """Of Adam."""
    decay_epochs: Annotated[int, Field(ge=0)] = 0
    """Over the last so many epochs, the learning rate falls to nothing along a line."""
    adversarial: Literal["least_squares", "cross_entropy"] = "least_squares"
    cycle_weight: NotNegative = 10.0
    """λ: of the mean absolute difference of an image and what it becomes there and back."""
    identity_weight: NotNegative = 0.5
    """As a share of λ: of that of an image and what its own genre's generator makes of it."""
    pool_images: Annotated[int, Field(ge=0)] = 50
    """Earlier translations among which the discriminators' next one is drawn; 0 for the latest."""
    validate_on: Literal["test", "none"] = "test"
    preview_every: Count = 5
    """Epochs from one set of pictures and sounds in TensorBoard to the next."""
    preview_clips: Count = 2
    """Held-out clips of each genre that are shown."""

    @property
    def ends_with_epochs(self) -> bool:
        return self.decay_epochs > 0

    @model_validator(mode="after")
    def _decay_fits(self) -> "TranslationTrainingConfig":
        if self.decay_epochs > self.epochs:
            raise ValueError(
                f"decay_epochs={self.decay_epochs} is more than epochs={self.epochs}; lower it"
            )
        if 0 < self.pool_images < self.batch_size:
            raise ValueError(
                f"pool_images={self.pool_images} holds less than batch_size={self.batch_size}; "
                "use more, or 0"
            )
        return self


class TranslationExperiment(BaseExperiment):
    """What `prepare` and `train` read of a CycleGAN."""

    task: Literal["translate"]
    frontend: AnyStftFrontend
    labels: tuple[str, str] | None = None
    """The two genres; without, those of a dataset of two."""
    model: ModelConfig
    training: TranslationTrainingConfig = TranslationTrainingConfig()

    @model_validator(mode="after")
    def _images_are_levels(self) -> "TranslationExperiment":
        if not self.frontend.shows_levels_only:
            raise ValueError(
                f"frontend.kind={self.frontend.kind} shows more or other than levels in [0, 1], "
                "which are what is translated; use amplitude or mel"
            )
        if self.labels is not None and self.labels[0] == self.labels[1]:
            raise ValueError(f"labels={list(self.labels)} are the same; name two")
        return self


class TranslateConfig(RenderConfig):
    """How a generator's change of its picture becomes that of a recording."""

    packaged_in: ClassVar[str] = "translate"
    canvas: Annotated[GainCanvasConfig | LogMagnitudeCanvasConfig, Field(discriminator="kind")] = (
        GainCanvasConfig(kind="gains", bound_db=24)
    )
    """Gains on the original's STFT, which is that of the run's frontend; or its log magnitude, with
    a phase found afterwards."""
