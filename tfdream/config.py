"""Frozen, validated configuration: one YAML file per published system or recommended recipe.

`load` takes the name of a packaged file (``lil_data``, ``dream/recommended``) or a path, applies
overrides, and rejects what it does not know. Values that follow from others are properties.
"""

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tfdream.errors import ConfigError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A frozen group of settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    options: dict[str, Any] = {}


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


class GainCanvasConfig(Section):
    """Bounded gains on the original's STFT."""

    kind: Literal["gains"]
    bound_db: Positive = 8.0
    """No cell gets louder or softer than this: the strength of the change."""
    stft: StftSpec = StftSpec()


class WaveformCanvasConfig(Section):
    """The samples themselves."""

    kind: Literal["waveform"]


class LogMagnitudeCanvasConfig(Section):
    """The STFT's log magnitude, rendered with a phase found afterwards."""

    kind: Literal["log_magnitude"]
    headroom_db: float | None = 0.0
    """How far levels may rise above the loudest of the original; without a bound if null."""
    phase: Literal["original", "griffin_lim"] = "griffin_lim"
    iterations: Count = 32
    momentum: Share = 0.99


CanvasConfig = Annotated[
    GainCanvasConfig | WaveformCanvasConfig | LogMagnitudeCanvasConfig,
    Field(discriminator="kind"),
]


class OptimiserConfig(Section):
    """How `ascend` climbs: normalised gradient steps, Adam, or L-BFGS-B."""

    kind: Literal["gradient", "adam", "lbfgs"] = "adam"
    steps: Count = 20
    """Steps per octave; L-BFGS-B takes a few more evaluations than steps."""
    step_size: Positive = 1.5
    """In the canvas's own unit: dB for gains, the frontend's level, full scale for samples."""
    tolerance: NotNegative = 0.0
    """Stop when `patience` steps together gain less than this share of the objective."""
    patience: Count = 20


class OctavesConfig(Section):
    """Scales of the view: the image is shrunk by scale^k, the smallest first."""

    count: Count = 1
    scale: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 1.4
    axes: Literal["both", "time"] = "both"


class TilesConfig(Section):
    """How a recording of any length is cut for the network, and joined again."""

    seconds: Positive | None = None
    """Length of a tile; without, the length of the clips that the model was trained on."""
    overlap_seconds: NotNegative = 0.5
    batch: Count = 1
    """Tiles changed at a time."""


class DreamConfig(Section):
    """What `dream` maximises, on what, and how."""

    objective: str = "layer_norm()"
    canvas: CanvasConfig = GainCanvasConfig(kind="gains")
    octaves: OctavesConfig = OctavesConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    tiles: TilesConfig = TilesConfig()
    seed: Seed = 0


class RunNetworkConfig(Section):
    """The network of a run, with its frontend and clip length."""

    kind: Literal["run"]


class FeatureNetworkConfig(Section):
    """A network that was not trained here: its architecture, and what it listens through."""

    kind: Literal["features"]
    name: str
    options: dict[str, Any] = {}
    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 22050
    clip_seconds: Positive = 10.0
    frontend: FrontendConfig


NetworkConfig = Annotated[RunNetworkConfig | FeatureNetworkConfig, Field(discriminator="kind")]


class TransferConfig(Section):
    """What `transfer` takes over from the style, what it keeps of the content, and how."""

    network: NetworkConfig
    style_layers: dict[str, NotNegative]
    """Weight λ of each layer whose Gram matrix makes the style."""
    content_layers: dict[str, NotNegative] = {}
    """Weight of each layer whose activations make the content."""
    style_weight: NotNegative = 1.0
    content_weight: NotNegative = 0.0
    style_strength: Annotated[float, Field(ge=0, le=1)] | None = None
    """Instead of the two weights: 0 keeps the content, 1 heeds the style alone. Each side then
    counts as a share: of the style distance at the start, and of the content's own energy."""
    gram: Literal["channels", "time"] = "channels"
    normalise: Literal["gatys", "mse"] = "gatys"
    start: Literal["content", "style", "noise"] = "content"
    canvas: CanvasConfig
    octaves: OctavesConfig = OctavesConfig()
    optimiser: OptimiserConfig
    tiles: TilesConfig = TilesConfig()
    seed: Seed = 0

    @model_validator(mode="after")
    def _fits_together(self) -> "TransferConfig":
        if not self.style_layers:
            raise ValueError("style_layers names no layer; give one with its weight")
        if self.start != "content" and self.canvas.kind == "gains":
            raise ValueError(
                f"start={self.start} needs a canvas that can add sound; use canvas.kind=waveform"
            )
        if self.style_strength is not None and not self.content_layers and self.style_strength < 1:
            raise ValueError("style_strength below 1 needs content_layers to keep")
        return self


Loaded = TypeVar("Loaded", bound=Section)


def names() -> list[str]:
    """The packaged configurations, as `load` takes them."""
    return sorted(_packaged())


def load(name_or_path: str, schema: type[Loaded], overrides: Iterable[str] = ()) -> Loaded:
    """Read a configuration.

    Args:
      name_or_path: a packaged name, or a path to a YAML file.
      schema: `Experiment`, `DreamConfig`, …
      overrides: ``key=value`` with dotted keys; the value is read as YAML.

    Raises:
      ConfigError: if it does not exist, is not YAML, or does not fit the schema.
    """
    content = _read(name_or_path)
    for override in overrides:
        _override(content, override)
    return validate(content, schema, f"config '{name_or_path}'")


def validate(content: Any, schema: type[Loaded], origin: str) -> Loaded:
    """Check `content` against `schema`.

    Raises:
      ConfigError: naming `origin` and every setting that does not fit.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {describe(error, content)}") from None


def describe(error: ValidationError, content: Any = None) -> str:
    """One line for all that a validation of `content` found."""
    return "; ".join(_problem(problem, content) for problem in error.errors())


def _problem(problem: Any, content: Any) -> str:
    place = ".".join(_keys(problem["loc"], content))
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown setting '{place}'; remove it or check its spelling"
    if problem["type"] == "missing":
        return f"'{place}' is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict):
        return f"{place}: {message}" if place else message
    return f"{place}={problem['input']!r}: {message}"


def _keys(location: tuple[int | str, ...], content: Any) -> Iterator[str]:
    """The keys as the user wrote them: pydantic puts the `kind` of a section into its location."""
    for part in location:
        if isinstance(content, dict):
            if part not in content and part == content.get("kind"):
                continue
            content = content.get(part)
        yield str(part)


def _packaged() -> dict[str, Path]:
    folder = Path(str(resources.files("tfdream.configs")))
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")
    }


def _read(name_or_path: str) -> dict[str, Any]:
    source = _packaged().get(name_or_path, Path(name_or_path))
    if not source.is_file():
        raise ConfigError(
            f"config '{name_or_path}' is neither a file nor one of: {', '.join(names())}"
        )
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"config '{name_or_path}' is not YAML: {reason}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"config '{name_or_path}' is not a mapping of settings")
    return content


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override '{override}' is not KEY=VALUE, such as training.epochs=3")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"override '{override}': the value is not YAML") from None
    *path, last = key.split(".")
    for part in path:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise ConfigError(f"override '{override}': '{part}' holds a value, not settings")
    content[last] = value
