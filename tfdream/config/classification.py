"""Settings of classification: training of a classifier and the complete experiment."""

import itertools
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.augmentation import AnyAugmentation
from tfdream.config.base import ClipSeconds, Count, Fraction, Positive, Share
from tfdream.config.training import BaseExperiment, ModelConfig, WarmupTrainingConfig


class TrainingConfig(WarmupTrainingConfig):
    """Training settings of a classifier."""

    optimizer: Literal["adam", "sgd"] = "adam"
    least_steps: Count = 1
    """An epoch has at least this many batches: clips are repeated if a dataset has fewer."""
    momentum: Share = 0.0
    nesterov: bool = False
    label_smoothing: Share = 0.0
    normalization_statistics: Literal["moving", "training_clips"] = "moving"
    """Statistics of batch normalization outside of training: moving averages over the batches; or
    those of all training clips, computed after every epoch."""
    pretrained: str | None = None
    """A run folder, or the name of a preset, whose weights the network starts with: those of all
    layers with the same name and shapes. Frontend and sample rate must be equal, and it must not be
    trained on a held-out track. Of a folder of `crossvalidate`, the run with the same held-out fold
    is used."""
    trainable: Literal["all", "head"] = "all"
    """Train the whole network, or only the layers after `features`, whose output is computed once
    for each clip if it is cached (see `memory_gigabytes`)."""
    features: str = "embedding"
    """Layer of the pretrained network that the head is trained on."""
    teachers: tuple[str, ...] = ()
    """Run folders or presets whose mean probabilities are a second target for each augmented
    input, or folders of `crossvalidate`, whose run with the same held-out fold is used. Frontend,
    length of the input and labels must be equal, and none must be trained on a held-out track."""
    teacher_weight: Fraction = 0.5
    """Weight of the loss of that target; the loss of the labels has the rest."""
    augmentation: tuple[AnyAugmentation, ...] = ()
    """Applied in this order: augmentations of waveforms before those of model inputs."""

    @model_validator(mode="after")
    def _momentum_fits(self) -> "TrainingConfig":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0, such as 0.9")
        if self.optimizer == "adam" and (self.momentum or self.nesterov):
            raise ValueError("momentum and nesterov belong to optimizer=sgd")
        return self

    @model_validator(mode="after")
    def _head_fits(self) -> "TrainingConfig":
        if self.trainable != "head":
            return self
        if self.pretrained is None:
            raise ValueError(
                "trainable='head' trains on features of another network; name it in "
                "training.pretrained, or use trainable='all'"
            )
        if self.teachers:
            raise ValueError(
                "teachers need an image, but trainable='head' trains on features; leave them out"
            )
        for augmentation in self.augmentation:
            if augmentation.needs_images:
                raise ValueError(
                    f"augmentation {augmentation.kind!r} needs an image, but trainable='head' "
                    "trains on features; leave it out"
                )
        return self

    @model_validator(mode="after")
    def _augmentation_is_in_order(self) -> "TrainingConfig":
        for first, second in itertools.pairwise(self.augmentation):
            if second.changes_waveforms and not first.changes_waveforms:
                raise ValueError(
                    f"augmentation {second.kind!r} changes waveforms and cannot follow "
                    f"{first.kind!r}, which changes the frontend's output; put it first"
                )
        return self


class Experiment(BaseExperiment):
    """Settings of `prepare` and `train` for a classifier."""

    run_description: ClassVar[str] = "a classifier (tfdream train lil_data …)"
    task: Literal["classify"] = "classify"
    input_seconds: ClipSeconds | None = None
    """Length of a model input; null uses a whole clip. Longer clips are cropped at random in
    training, and otherwise classified window by window."""
    test_speeds: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=16)] = (1.0,)
    """Playback speeds at which `evaluate` and `predict` classify each clip; its probabilities are
    their mean. Validation during training uses the recorded speed."""
    model: ModelConfig | None = None
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _input_is_in_the_clip(self) -> "Experiment":
        if self.input_seconds is not None and self.input_seconds > self.prepare.clip_seconds:
            raise ValueError(
                f"input_seconds={self.input_seconds:g} is longer than prepare.clip_seconds="
                f"{self.prepare.clip_seconds:g}; use a shorter input or longer clips"
            )
        return self

    @model_validator(mode="after")
    def _augmentation_fits_the_frontend(self) -> "Experiment":
        for augmentation in self.training.augmentation:
            augmentation.check_frontend(self.frontend)
        return self

    @property
    def input_samples(self) -> int:
        if self.input_seconds is None:
            return self.prepare.clip_samples
        return round(self.input_seconds * self.prepare.sample_rate)
