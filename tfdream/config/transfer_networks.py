"""Settings of a transfer network: training on aligned recordings of several instruments."""

from typing import ClassVar, Literal

from pydantic import model_validator

from tfdream.config.base import ClipSeconds, Count, NotNegative, Positive, Share
from tfdream.config.training import LevelExperiment, WarmupTrainingConfig


class TransferTrainingConfig(WarmupTrainingConfig):
    """Training settings of a transfer network, which predicts gains of mel bands."""

    epochs: Count = 20
    crop_seconds: ClipSeconds = 4.0
    """Length of the random part of content, target and style in each example."""
    warmup_epochs: NotNegative = 1.0
    weight_decay: NotNegative = 1e-3
    gradient_norm: Positive | None = 1.0
    """Clip gradients to this global norm."""
    equalizer_db: NotNegative = 5.0
    """Standard deviation of random equalizers, one for the content, one for style and target."""
    noise_share: Share = 0.0
    """Share of recordings whose levels are raised to a random noise floor."""
    band_limit_share: Share = 0.0
    """Share of examples in which all bands above a random one are empty."""
    timbre_weight: NotNegative = 0.2
    """Weight of the distance of the mean MFCC to those of the target."""
    onset_weight: NotNegative = 0.3
    """Weight of the difference of the onset strength to that of the content, in dB."""
    floor_weight: NotNegative = 0.1
    """Weight of the rise of bands that are soft in content and target, in dB."""


class TransferExperiment(LevelExperiment):
    """Settings of `prepare` and `train` for a transfer network."""

    run_description: ClassVar[str] = "a transfer network (tfdream train timbre_network …)"
    task: Literal["transfer"]
    training: TransferTrainingConfig = TransferTrainingConfig()

    @property
    def crop_frames(self) -> int:
        """Number of frames of the random part of a clip."""
        samples = self.training.crop_seconds * self.prepare.sample_rate
        return round(samples / self.frontend.stft.hop_samples)

    @model_validator(mode="after")
    def _frames_are_mel_levels(self) -> "TransferExperiment":
        frontend = self.frontend
        if frontend.kind != "mel" or frontend.size is not None:
            raise ValueError(
                "a transfer network needs frontend.kind=mel without size, not "
                f"kind={frontend.kind}, size={frontend.size}"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> "TransferExperiment":
        if self.training.crop_seconds > self.prepare.clip_seconds:
            raise ValueError(
                f"training.crop_seconds={self.training.crop_seconds:g} is longer than "
                f"prepare.clip_seconds={self.prepare.clip_seconds:g}; use a shorter one"
            )
        if self.crop_frames < 2:
            raise ValueError(
                f"training.crop_seconds={self.training.crop_seconds:g} is shorter than the two "
                "frames that onsets need; use a longer one"
            )
        return self
