"""Settings of what is learnt: clips, frontend, model, training."""

import itertools
import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tfdream.config.augmentation import (
    AugmentationConfig,
    ImageAugmentationConfig,
    InputAugmentationConfig,
    WaveformAugmentationConfig,
)
from tfdream.config.base import Config, Count, NotNegative, Positive, Seed, Share

# Of a spectrogram: a gigabyte as floats, before anything is computed of it.
_MOST_CELLS = 1 << 28


class StftSpec(Config):
    """A centered short-time Fourier transform with a periodic Hann window of `n_fft` samples."""

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
        """Frames of a signal of `samples` samples, the first one centered on its first sample."""
        return 1 + samples // self.hop_samples


class PrepareConfig(Config):
    """How tracks become clips, shards and folds."""

    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 22050
    clip_seconds: Annotated[float, Field(ge=0.01, le=600)] = 5.0
    skip_start_seconds: NotNegative = 0.0
    skip_end_seconds: NotNegative = 0.0
    gain: Positive = 1.0
    tail: Literal["drop", "zeros", "repeat"] = "drop"
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


class RawFrontendConfig(Config):
    """The samples themselves."""

    kind: Literal["raw"]


class ImageFrontendConfig(Config):
    """What all frontends that give images have."""

    kind: str
    top_db: Positive = 80.0
    """Levels this far below the clip's maximum, and under it, are black."""
    size: tuple[Count, Count] | None = None
    """Height and width to resize to; without, the bins or bands and frames themselves."""


class SpectrogramFrontendConfig(ImageFrontendConfig):
    """A gray image of the STFT: level, phase, or both as two channels.

    The level is in dB below the clip's maximum, or for kind=log1p the logarithm of one plus the
    magnitude.
    """

    kind: Literal["amplitude", "phase", "amplitude_phase", "log1p"]
    stft: StftSpec = StftSpec()


class MelFrontendConfig(ImageFrontendConfig):
    """A gray image of levels in mel bands, in dB below the clip's loudest one."""

    kind: Literal["mel"]
    stft: StftSpec = StftSpec()
    bands: Annotated[int, Field(ge=1, le=4096)] = 64
    min_hz: NotNegative = 0.0
    max_hz: Positive | None = None
    """Half the sample rate without."""


class ConstantQFrontendConfig(ImageFrontendConfig):
    """A gray image of levels in bands at equal musical intervals, in dB below the clip's loudest.

    A band's window is Q periods of its frequency long.
    """

    kind: Literal["constant_q"]
    min_hz: Annotated[float, Field(ge=10, allow_inf_nan=False)] = 32.7032
    """The lowest band's frequency: the C of 32.7 Hz."""
    bands_per_octave: Annotated[int, Field(ge=12, le=96)] = 12
    octaves: Annotated[int, Field(ge=1, le=14)] = 8
    hop_samples: Count = 512
    """Fastest as a multiple of 32 or more: low octaves are heard at a half, a quarter, … of the
    rate, as far as these divide the hop."""

    @property
    def bands(self) -> int:
        """Of all octaves."""
        return self.bands_per_octave * self.octaves

    @property
    def quality(self) -> float:
        """Q: a band's frequency over the distance to the next one."""
        return 1 / (2 ** (1 / self.bands_per_octave) - 1)

    def frames(self, samples: int) -> int:
        """Frames of a signal of `samples` samples, the first one centered on its first sample."""
        return 1 + samples // self.hop_samples


class FeatureFrontendConfig(Config):
    """Features by librosa, not differentiable: see `signal.features`."""

    kind: Literal["features", "autocorrelogram"]
    stft: StftSpec = StftSpec()
    lags: Count = 51
    """Of kind=autocorrelogram, in hops."""

    @model_validator(mode="after")
    def _has_lags(self) -> "FeatureFrontendConfig":
        if self.kind == "features" and self.lags != type(self).model_fields["lags"].default:
            raise ValueError("lags belong to kind=autocorrelogram")
        return self


FrontendConfig = Annotated[
    RawFrontendConfig
    | SpectrogramFrontendConfig
    | MelFrontendConfig
    | ConstantQFrontendConfig
    | FeatureFrontendConfig,
    Field(discriminator="kind"),
]


class ModelConfig(Config):
    """An architecture by name, and the arguments of its build function."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class BaseTrainingConfig(Config):
    """How networks are fitted, whatever they are for."""

    epochs: Count = 20
    batch_size: Count = 16
    learning_rate: Positive = 1e-3
    mixed_precision: bool = False
    shuffle_clips: Count = 2048
    """Clips among which the next batch is drawn, where they are read from the disk."""
    memory_gigabytes: NotNegative = 2.0
    """Inputs of a dataset that take no more are computed once, each when it is first needed, and
    kept in memory as float16, unless waveforms are changed at random. 0 computes them for every
    batch."""
    seed: Seed = 0

    @property
    def ends_with_epochs(self) -> bool:
        """Whether the learning rate depends on the number of epochs, so that no more can follow."""
        return False


class SupervisedTrainingConfig(BaseTrainingConfig):
    """How networks are fitted whose validation loss tells how good they are."""

    validate_on: Literal["test", "next", "none"] = "test"
    """The fold whose loss is watched: the held-out one, the one after it (then not trained on)."""
    checkpoint: Literal["last", "best"] = "last"
    """The weights that the run keeps: the last epoch's, or those of the lowest validation loss."""
    patience: Count | None = None
    """Epochs without a lower validation loss after which training stops."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Whether the rate stays, or falls to nothing by the last epoch along a half cosine."""

    @property
    def ends_with_epochs(self) -> bool:
        return self.schedule == "cosine"

    @model_validator(mode="after")
    def _selection_is_honest(self) -> "SupervisedTrainingConfig":
        if self.validate_on != "next" and (self.checkpoint == "best" or self.patience is not None):
            raise ValueError(
                f"checkpoint={self.checkpoint!r} and patience={self.patience} choose by the validation loss, "
                f"which validate_on={self.validate_on!r} would take from the held-out fold or from "
                "nowhere; use validate_on=next"
            )
        return self


class TrainingConfig(SupervisedTrainingConfig):
    """How a classifier is fitted."""

    optimizer: Literal["adam", "sgd"] = "adam"
    warmup_epochs: NotNegative = 0.0
    """Over so many epochs the rate rises to its full value."""
    momentum: Share = 0.0
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    """Decoupled from the gradient (AdamW); biases and normalization are spared."""
    label_smoothing: Share = 0.0
    augmentation: tuple[AugmentationConfig, ...] = ()
    """In the order they are applied: those of waveforms before those of inputs."""

    @model_validator(mode="after")
    def _momentum_fits(self) -> "TrainingConfig":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0, such as 0.9")
        if self.optimizer == "adam" and (self.momentum or self.nesterov):
            raise ValueError("momentum and nesterov belong to optimizer=sgd")
        return self

    @model_validator(mode="after")
    def _augmentation_is_in_order(self) -> "TrainingConfig":
        for first, second in itertools.pairwise(self.augmentation):
            if isinstance(first, InputAugmentationConfig) and isinstance(
                second, WaveformAugmentationConfig
            ):
                raise ValueError(
                    f"augmentation {second.kind!r} changes waveforms and cannot follow "
                    f"{first.kind!r}, which changes what the frontend made of them; put it first"
                )
        return self


class BaseExperiment(Config):
    """From tracks to what networks hear of them, whatever they are for."""

    prepare: PrepareConfig = PrepareConfig()
    frontend: FrontendConfig
    training: BaseTrainingConfig

    @property
    def input_samples(self) -> int:
        """Samples that the network hears at a time, at the clips' sample rate."""
        return self.prepare.clip_samples

    @model_validator(mode="after")
    def _spectrogram_fits_memory(self) -> "BaseExperiment":
        frontend, samples = self.frontend, self.input_samples
        cells = [0]
        if isinstance(frontend, ImageFrontendConfig) and frontend.size is not None:
            cells.append(math.prod(frontend.size))
        if isinstance(frontend, ConstantQFrontendConfig):
            cells.append(frontend.bands * frontend.frames(samples))
        elif not isinstance(frontend, RawFrontendConfig):
            cells.append(frontend.stft.bins * frontend.stft.frames(samples))
        if max(cells) > _MOST_CELLS:
            raise ValueError(
                f"the frontend would make {max(cells)} values of a clip, more than {_MOST_CELLS}; "
                "use a smaller size, a larger hop_samples, or shorter clips"
            )
        return self


class Experiment(BaseExperiment):
    """What `prepare` and `train` read of a classifier: from tracks to a fitted model."""

    task: Literal["classify"] = "classify"
    input_seconds: Positive | None = None
    """What the network hears at a time; without, a whole clip. Longer clips are cropped at random
    in training, and heard window by window otherwise."""
    model: ModelConfig | None = None
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _input_is_in_the_clip(self) -> "Experiment":
        if self.input_seconds is not None and self.input_seconds > self.prepare.clip_seconds:
            raise ValueError(
                f"input_seconds={self.input_seconds:g} is longer than prepare.clip_seconds="
                f"{self.prepare.clip_seconds:g}"
            )
        return self

    @model_validator(mode="after")
    def _augmentation_fits_the_frontend(self) -> "Experiment":
        if not isinstance(self.frontend, RawFrontendConfig | FeatureFrontendConfig):
            return self
        for one in self.training.augmentation:
            if isinstance(one, ImageAugmentationConfig):
                raise ValueError(
                    f"augmentation {one.kind!r} needs an image, which frontend.kind="
                    f"{self.frontend.kind} does not make; leave it out"
                )
        return self

    @property
    def input_samples(self) -> int:
        if self.input_seconds is None:
            return self.prepare.clip_samples
        return round(self.input_seconds * self.prepare.sample_rate)
