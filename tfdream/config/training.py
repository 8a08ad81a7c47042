"""Settings that the training of all tasks shares: model, epochs, validation, experiment."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Config, Count, NotNegative, Positive, Seed
from tfdream.config.frontends import AnyFrontend, AnyStftFrontend
from tfdream.config.preparation import PrepareConfig

_MAX_VALUES = 1 << 28
"""Limit of the values computed per clip: one gigabyte of float32."""


class ModelConfig(Config):
    """An architecture by name, and the options of its build function."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class BaseTrainingConfig(Config):
    """Training settings of every task."""

    epochs: Count = 20
    batch_size: Count = 16
    learning_rate: Positive = 1e-3
    mixed_precision: bool = False
    shuffle_clips: Count = 2048
    """Number of clips that are shuffled together, in blocks, where clips are read from disk."""
    memory_gigabytes: NotNegative = 2.0
    """Model inputs up to this size are computed once, on first access, and cached in memory as
    float16, unless waveforms are augmented or cropped; features of librosa are always stored. 0
    computes other inputs for every batch."""
    seed: Seed = 0

    @property
    def ends_with_epochs(self) -> bool:
        """Whether the learning rate depends on the number of epochs, so that no more can follow."""
        return False

    @property
    def keeps_best(self) -> bool:
        """Whether the run stores the weights of the lowest validation loss, not the last ones."""
        return False


class SupervisedTrainingConfig(BaseTrainingConfig):
    """Training settings of tasks with a meaningful validation loss."""

    validate_on: Literal["test", "next", "none"] = "test"
    """Fold of the validation loss: the held-out one, or the one after it, which is then excluded
    from training."""
    checkpoint: Literal["last", "best"] = "last"
    """Weights of the run: those of the last epoch, or of the lowest validation loss."""
    patience: Count | None = None
    """Stop after this many epochs without a lower validation loss."""
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    """Learning rate: constant; decaying to zero at the last epoch along a half cosine; or lowered
    whenever the validation loss does not decrease anymore."""
    plateau_patience: Annotated[int, Field(ge=0)] = 1
    """For schedule=plateau: number of successive epochs without a lower validation loss that do
    not lower the rate yet."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """For schedule=plateau: factor of the learning rate at each plateau."""

    @property
    def ends_with_epochs(self) -> bool:
        return self.schedule == "cosine"

    @property
    def keeps_best(self) -> bool:
        return self.checkpoint == "best"

    @model_validator(mode="after")
    def _selects_without_test_fold(self) -> "SupervisedTrainingConfig":
        selecting = {
            f"checkpoint={self.checkpoint!r}": self.checkpoint == "best",
            f"patience={self.patience}": self.patience is not None,
            f"schedule={self.schedule!r}": self.schedule == "plateau",
        }
        given = " and ".join(setting for setting, selects in selecting.items() if selects)
        if given and self.validate_on != "next":
            raise ValueError(
                f"{given} depends on the validation loss, which validate_on={self.validate_on!r} "
                "takes from the held-out fold or does not compute; use validate_on=next"
            )
        return self


class WarmupTrainingConfig(SupervisedTrainingConfig):
    """Training settings of tasks whose optimizer has a warm-up and weight decay."""

    warmup_epochs: NotNegative = 0.0
    """Epochs over which the learning rate rises linearly to its full value; for schedule=cosine, at
    most half of all epochs."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay (AdamW); biases and normalization layers are excluded."""

    @model_validator(mode="after")
    def _warmup_fits(self) -> "WarmupTrainingConfig":
        if self.warmup_epochs and self.schedule == "plateau":
            raise ValueError(
                f"warmup_epochs={self.warmup_epochs:g} cannot be combined with schedule='plateau'; "
                "use warmup_epochs=0 or another schedule"
            )
        return self


class BaseExperiment(Config):
    """Settings of every task, from tracks to model inputs and training."""

    run_description: ClassVar[str] = "a run"
    """What a run of the task is, and a command that trains one, for messages."""
    task: str
    """Kind of the experiment: classify, translate, generate or transfer."""
    prepare: PrepareConfig = PrepareConfig()
    frontend: AnyFrontend
    training: BaseTrainingConfig

    @property
    def input_samples(self) -> int:
        """Length of a model input in samples, at the clips' sample rate."""
        return self.prepare.clip_samples

    @model_validator(mode="after")
    def _input_fits_memory(self) -> "BaseExperiment":
        values = self.frontend.values(self.input_samples)
        if values > _MAX_VALUES:
            raise ValueError(
                f"the frontend would compute {values} values per clip, more than {_MAX_VALUES}; "
                "use a smaller size, a larger hop_samples, or shorter clips"
            )
        return self


class LevelExperiment(BaseExperiment):
    """Settings of tasks whose networks need images of levels on one scale."""

    frontend: AnyStftFrontend
    model: ModelConfig

    @model_validator(mode="after")
    def _images_are_levels(self) -> "LevelExperiment":
        self.frontend.check_levels(f"task={self.task}")
        return self
