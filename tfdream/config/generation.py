"""Settings of generation: training of a sequence model, and rendering of its frames."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Config, Count, NotNegative, Positive, Seed
from tfdream.config.canvases import PhaseConfig
from tfdream.config.curves import Curves, check_curves
from tfdream.config.filtering import FilterConfig
from tfdream.config.training import LevelExperiment, SupervisedTrainingConfig


class GenerationTrainingConfig(SupervisedTrainingConfig):
    """Training settings of a sequence model, which predicts the next frame.

    Source of the defaults: "On the Generation of Music", section 4.
    """

    epochs: Count = 50
    teacher_forcing: bool = True
    """The input of each step is the true frame before it; false: the model's own output, from the
    first frame of each clip on (one-to-many). A model that samples its output needs true."""
    gradient_norm: Positive | None = None
    """Clip gradients to this global norm."""
    preview_every: Count = 5
    """Epochs from one preview in TensorBoard to the next."""
    preview_clips: Count = 2
    """Number of held-out clips in a preview, each next to a generated one."""


class GenerationExperiment(LevelExperiment):
    """Settings of `prepare` and `train` for a sequence model."""

    run_description: ClassVar[str] = "a sequence model (tfdream train recommended_generator …)"
    task: Literal["generate"]
    label: str | None = None
    """Label whose clips are used; null uses all."""
    examples: Count | None = None
    """Number of training clips, the first ones of the dataset; null uses all."""
    training: GenerationTrainingConfig = GenerationTrainingConfig()

    @model_validator(mode="after")
    def _columns_are_frames(self) -> "GenerationExperiment":
        if self.frontend.size is not None:
            raise ValueError(
                f"frontend.size={list(self.frontend.size)} gives columns that are not STFT frames; "
                "leave it out, and choose stft.n_fft, stft.hop_samples or bands"
            )
        return self


class GenerateConfig(Config):
    """Settings of `generate`: sampling, and rendering of the generated frames."""

    packaged_in: ClassVar[str] = "generate"
    temperature: NotNegative | None = None
    """Sampling temperature: 0 takes the most likely value, 1 the learned distribution; null is the
    default of the model."""
    phase: PhaseConfig = PhaseConfig(init="pghi", iterations=100)
    crossfade_seconds: Positive = 0.02
    """Length of the crossfade from the end of a prompt to its continuation."""
    filter: FilterConfig = FilterConfig()
    """Filters of the generated audio; a prompt is not filtered."""
    seed: Seed = 0
    curves: Curves = Field(default_factory=dict)
    """Curve of the temperature over the time of the generated audio, in seconds or at a tempo."""

    @model_validator(mode="after")
    def _curves_fit(self) -> "GenerateConfig":
        check_curves(self, self.curves, ("temperature",))
        for curve in self.curves.values():
            if curve.follow is None and curve.seconds_per_unit is None:
                raise ValueError("generated audio has no beats to detect; give a tempo")
        return self

    @model_validator(mode="after")
    def _phase_has_no_original(self) -> "GenerateConfig":
        if self.phase.init == "original":
            raise ValueError(
                "phase.init=original: generated audio has no original; use pghi or random"
            )
        return self
