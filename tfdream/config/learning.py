"""Settings of what is learnt: clips, frontend, model, training."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tfdream.config.section import Count, NotNegative, Positive, Section, Seed, Share


class StftSpec(Section):
    """A centred short-time Fourier transform with a periodic Hann window of `n_fft` samples."""

    n_fft: Annotated[int, Field(ge=16, le=65536, multiple_of=2)] = 2048
    hop_samples: Count = 512

    @model_validator(mode="after")
    def _hop_fits(self) -> "StftSpec":
        if self.hop_samples > self.n_fft // 2:
            raise ValueError(
                f"hop_samples={self.hop_samples} is longer than n_fft/2={self.n_fft // 2}, "
                "which no inverse can undo; use a quarter of n_fft"
            )
        return self

    @property
    def bins(self) -> int:
        """Frequency bins from 0 Hz to half the sample rate."""
        return self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """Frames of a signal of `samples` samples, the first one centred on its first sample."""
        return 1 + samples // self.hop_samples


class PrepareConfig(Section):
    """How tracks become clips, shards and folds."""

    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 22050
    clip_seconds: Annotated[float, Field(ge=0.01, le=600)] = 5.0
    skip_start_seconds: NotNegative = 0.0
    skip_end_seconds: NotNegative = 0.0
    gain: Positive = 1.0
    short: Literal["drop", "zeros", "repeat"] = "drop"
    """What becomes of the last, incomplete clip: dropped, or filled with zeros or with itself."""
    min_fill: Share = 0.5
    """Below this share the last clip is dropped all the same, unless it is the track's only one."""
    max_clips_per_track: Count | None = None
    codec: Literal["pcm16", "flac"] = "pcm16"
    """16-bit samples as they are, or as FLAC: half the size, but 7 to 10 ms per 5 s to decode."""
    folds: Count = 5
    seed: Seed = 0
    shard_clips: Count = 128

    @property
    def clip_samples(self) -> int:
        """Samples of one clip at the clips' sample rate."""
        return round(self.clip_seconds * self.sample_rate)


class RawFrontendConfig(Section):
    """The samples themselves."""

    kind: Literal["raw"]


class SpectrogramFrontendConfig(Section):
    """A grey image of the STFT: level, phase, or both as two channels.

    The level is in dB below the clip's maximum, or for kind=log1p the logarithm of one plus the
    magnitude.
    """

    kind: Literal["amplitude", "phase", "amplitude_phase", "log1p"]
    stft: StftSpec = StftSpec()
    top_db: Positive = 80.0
    """Levels this far below the clip's maximum, and under it, are black."""
    size: tuple[Count, Count] | None = None
    """Height and width to resize to; the STFT's own bins and frames without."""


FrontendConfig = Annotated[
    RawFrontendConfig | SpectrogramFrontendConfig, Field(discriminator="kind")
]


class ModelConfig(Section):
    """An architecture by name, and the arguments of its build function."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class TrainingConfig(Section):
    """How a classifier is fitted."""

    epochs: Count = 20
    batch_size: Count = 16
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Share = 0.0
    nesterov: bool = False
    validate_on: Literal["test", "next", "none"] = "test"
    """The fold whose loss is watched: the held-out one, the one after it (then not trained on)."""
    keep: Literal["last", "best"] = "last"
    """The weights that the run keeps: the last epoch's, or those of the lowest validation loss."""
    patience: Count | None = None
    """Epochs without a lower validation loss after which training stops."""
    mixed_precision: bool = False
    shuffle_clips: Count = 2048
    seed: Seed = 0

    @model_validator(mode="after")
    def _selection_is_honest(self) -> "TrainingConfig":
        if self.validate_on != "next" and (self.keep == "best" or self.patience is not None):
            raise ValueError(
                f"keep={self.keep!r} and patience={self.patience} choose by the validation loss, "
                f"which validate_on={self.validate_on!r} would take from the held-out fold or from "
                "nowhere; use validate_on=next"
            )
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0, such as 0.9")
        if self.optimizer == "adam" and (self.momentum or self.nesterov):
            raise ValueError("momentum and nesterov belong to optimizer=sgd")
        return self


class Experiment(Section):
    """What `prepare` and `train` read: from tracks to a fitted model."""

    prepare: PrepareConfig = PrepareConfig()
    frontend: FrontendConfig
    model: ModelConfig | None = None
    training: TrainingConfig = TrainingConfig()
