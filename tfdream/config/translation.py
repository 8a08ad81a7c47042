"""Settings of translation between two labels: training of a CycleGAN, and its application."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.augmentation import AnyAugmentation
from tfdream.config.base import Count, Fraction, NotNegative, Positive, Share
from tfdream.config.canvases import AnyLevelCanvas
from tfdream.config.musaic import CompositionConfig
from tfdream.config.recipes import RenderConfig
from tfdream.config.training import BaseTrainingConfig, LevelExperiment


class TranslationTrainingConfig(BaseTrainingConfig):
    """Training settings of a translation: two generators and two discriminators.

    Source: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial
    networks", sections 3 and 4, whose settings are the defaults; the contrastive loss is that of
    Park et al., "Contrastive learning for unpaired image-to-image translation", feature matching
    that of Salimans et al., "Improved techniques for training GANs", section 3.1.
    """

    epochs: Count = 200
    batch_size: Count = 1
    learning_rate: Positive = 2e-4
    steps_per_epoch: Count | None = None
    """Batches of one epoch; null uses every clip of the label with more clips once."""
    beta_1: Share = 0.5
    """Adam's decay rate of the first moment."""
    decay_share: Fraction = 0.0
    """Share of the epochs, the last ones, over which the learning rate decays linearly to zero."""
    average_decay: Share = 0.0
    """The run stores a moving average of the generators' weights with this decay per step; 0 stores
    the weights themselves, whose validation losses are logged in either case."""
    adversarial: Literal["least_squares", "cross_entropy"] = "least_squares"
    cycle_weight: NotNegative = 10.0
    """Weight of the cycle loss: mean absolute difference of an image in [−1, 1] and its
    reconstruction, summed over both labels."""
    identity_weight: NotNegative = 5.0
    """Weight of the identity loss: mean absolute difference of an image in [−1, 1] and its
    translation to its own label, summed over both labels."""
    contrastive_weight: NotNegative = 0.0
    """Weight of the contrastive loss between the features of an image and of its translation,
    summed over both directions."""
    contrastive_layers: tuple[str, ...] = ()
    """Layers of the generators whose outputs are these features."""
    onset_weight: NotNegative = 0.0
    """Weight of the onset loss: mean absolute difference of the onset strength, the mean rise of
    the levels in [−1, 1] from frame to frame, of an image and of its translation, summed over both
    directions."""
    feature_matching_weight: NotNegative = 0.0
    """Weight of feature matching: mean absolute difference of the mean activations of translations
    and real images after each `LeakyReLU` or `ReLU` layer of the discriminator, relative to their
    deviation, summed over both directions."""
    augmentation: tuple[AnyAugmentation, ...] = ()
    """Random changes of all images that the discriminators receive, real or translated."""
    pool_images: Annotated[int, Field(ge=0)] = 50
    """Size of the pool of earlier translations for the discriminators; 0 uses the latest only."""
    validate_on: Literal["test", "none"] = "test"
    preview_every: Count = 5
    """Epochs from one preview in TensorBoard to the next."""
    preview_clips: Count = 2
    """Number of held-out clips of each label in a preview."""

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

    @model_validator(mode="after")
    def _contrastive_loss_has_layers(self) -> "TranslationTrainingConfig":
        if self.contrastive_weight and not self.contrastive_layers:
            raise ValueError(
                f"contrastive_weight={self.contrastive_weight:g} needs contrastive_layers, such as "
                "[trunk_block1, trunk_block3] for model.name=temporal_cnn; or use 0"
            )
        return self

    @model_validator(mode="after")
    def _augmentation_changes_images(self) -> "TranslationTrainingConfig":
        for augmentation in self.augmentation:
            if augmentation.changes_waveforms or augmentation.changes_labels:
                raise ValueError(
                    f"augmentation {augmentation.kind!r} does not change single images, which "
                    "discriminators receive; leave it out"
                )
        return self


class TranslationExperiment(LevelExperiment):
    """Settings of `prepare` and `train` for a translation."""

    run_description: ClassVar[str] = "a translation (tfdream train recommended_translation …)"
    task: Literal["translate"]
    labels: tuple[str, str] | None = None
    """The two labels; null uses the labels of a dataset that has two."""
    training: TranslationTrainingConfig = TranslationTrainingConfig()

    @model_validator(mode="after")
    def _labels_differ(self) -> "TranslationExperiment":
        if self.labels is not None and self.labels[0] == self.labels[1]:
            raise ValueError(f"labels={list(self.labels)} are the same; name two")
        return self


class TranslateConfig(RenderConfig):
    """Settings of `translate`: how the change of an image is applied to a recording."""

    packaged_in: ClassVar[str] = "translate"
    canvas: AnyLevelCanvas = Field({"kind": "gains", "bound_db": 24}, validate_default=True)
    """Gains on the original's STFT, which is that of the run's frontend with a hop of at most a
    quarter of the window; or its log magnitude, with a reconstructed phase."""
    strength: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Factor of the change of the levels in dB: 0 leaves the recording unchanged, 1 applies the
    generator's change, and more exaggerates it. Below 1, it is also the share of a composition."""
    composition: CompositionConfig | None = None
    """The result is composed of frames of the run's excerpts of the target label, which then are
    the style; null only changes the levels of the recording."""
