"""Settings of generation: how frame by frame is learnt, and how frames become sound."""

from typing import ClassVar, Literal

from pydantic import model_validator

from tfdream.config.base import Config, Count, NotNegative, Positive, Seed
from tfdream.config.canvases import PhaseConfig
from tfdream.config.frontends import AnyStftFrontend
from tfdream.config.training import (
    BaseExperiment,
    ModelConfig,
    SupervisedTrainingConfig,
)


class GenerationTrainingConfig(SupervisedTrainingConfig):
    """How a generator is fitted: told each frame, it says the next one.

    Source of the defaults: "On the Generation of Music", section 4.
    """

    epochs: Count = 50
    gradient_norm: Positive | None = None
    """Longer gradients, over all weights, are shortened to this."""
    preview_every: Count = 5
    """Epochs from one picture and sound in TensorBoard to the next."""
    preview_clips: Count = 2
    """Held-out clips beside which generated ones are shown."""


class GenerationExperiment(BaseExperiment):
    """What `prepare` and `train` read of a generator."""

    task: Literal["generate"]
    frontend: AnyStftFrontend
    label: str | None = None
    """The one label to learn; without, all."""
    examples: Count | None = None
    """Only the first so many clips are learnt; without, all."""
    model: ModelConfig
    training: GenerationTrainingConfig = GenerationTrainingConfig()

    @model_validator(mode="after")
    def _frames_are_levels(self) -> "GenerationExperiment":
        if not self.frontend.shows_levels_only:
            raise ValueError(
                f"frontend.kind={self.frontend.kind} shows more or other than levels in [0, 1], "
                "which are what is generated; use amplitude or mel"
            )
        if self.frontend.size is not None:
            raise ValueError(
                f"frontend.size={list(self.frontend.size)} gives frames that are none of the STFT; "
                "leave it out, and choose stft.n_fft, stft.hop_samples or bands"
            )
        return self


class GenerateConfig(Config):
    """How a generator runs on its own, and how its frames become sound."""

    packaged_in: ClassVar[str] = "generate"
    temperature: NotNegative | None = None
    """How much is left to chance: 0 takes what is likeliest, 1 as much as was learnt. Without, what
    the generator was made for."""
    phase: PhaseConfig = PhaseConfig(init="pghi", iterations=100)
    crossfade_seconds: Positive = 0.02
    """Over so much of its end a prompt fades into its continuation."""
    seed: Seed = 0

    @model_validator(mode="after")
    def _phase_is_found(self) -> "GenerateConfig":
        if self.phase.init == "original":
            raise ValueError(
                "phase.init=original: what is generated has no original; use pghi or random"
            )
        return self
