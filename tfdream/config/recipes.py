"""Settings of the recipes that modify recordings: optimizer, octaves, tiles, dream, transfer."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import (
    ClipSeconds,
    Config,
    Count,
    Fraction,
    NotNegative,
    NotPositive,
    Positive,
    SampleRate,
    Seed,
    TileSeconds,
)
from tfdream.config.canvases import AnyCanvas, CanvasConfig, MaskConfig
from tfdream.config.curves import Curves, check_curves
from tfdream.config.filtering import FilterConfig
from tfdream.config.frontends import AnyFrontend


class GaussianSmoothingConfig(Config):
    """The mean of three Gaussian blurs of the gradient, of half, once and twice a width.

    Source: Aleksa Gordić's and ProGamerGov's Deep Dreams in PyTorch.
    """

    kind: Literal["gaussian"]
    sigma: Positive = 0.5
    """Standard deviation of the middle blur without its growth, in cells of the canvas."""
    growth: NotNegative = 2.0
    """Growth of the deviation: at step n of N it is sigma + growth · n / N."""


class LaplacianSmoothingConfig(Config):
    """A Laplacian pyramid of the gradient, every level normalized to the same strength.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism", TensorFlow's DeepDream notebook.
    """

    kind: Literal["laplacian"]
    levels: Count = 4


SmoothingConfig = Annotated[
    GaussianSmoothingConfig | LaplacianSmoothingConfig, Field(discriminator="kind")
]


class OptimizerConfig(Config):
    """Optimizer of `ascend`: normalized gradient steps, plain ones, Adam, or L-BFGS-B."""

    kind: Literal["gradient", "sgd", "adam", "lbfgs"] = "adam"
    steps: Count = 20
    """Steps per octave; L-BFGS-B needs a few more evaluations than steps."""
    step_size: Positive = 1.5
    """Step size in the canvas's unit: dB of gains, level of the frontend, full scale of samples,
    range of a picture. For kind=sgd, the learning rate: the factor of the gradient."""
    tolerance: NotNegative = 0.0
    """Stop when the last `patience` steps increased the objective by less than this share of it."""
    patience: Count = 20
    jitter_seconds: NotNegative = 0.0
    """Largest random circular shift in time of the network's input in each step."""
    jitter_pixels: Annotated[int, Field(ge=0)] = 0
    """Largest random circular shift of the network's input picture along both axes, in each step
    of every octave."""
    smoothing: SmoothingConfig | None = None
    """Smoothing of the gradient before each step."""

    @model_validator(mode="after")
    def _has_steps_to_vary(self) -> "OptimizerConfig":
        varies = self.jitter_seconds or self.jitter_pixels or self.smoothing
        if self.kind == "lbfgs" and varies:
            raise ValueError(
                "kind=lbfgs needs the exact gradient of a fixed function; use kind=adam or "
                "kind=gradient with jitter_seconds, jitter_pixels or smoothing"
            )
        return self


Precision = Literal["float32", "bfloat16"]
"""Precision of the network's products; sums and the canvas are always float32."""


Normalization = Literal["limit", "loudness"] | Annotated[float, Field(gt=0, le=1)]
"""Output level. ``limit`` attenuates only passages that would exceed full scale; ``loudness``
scales the whole file to the loudness of the original, less if peaks would have to be attenuated by
more than 6 dB; a number scales the file to that largest sample."""


class OctavesConfig(Config):
    """Scales of the view: the image is reduced by scale^k, the smallest size first."""

    count: Count = 1
    scale: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 1.4
    axes: Literal["both", "time"] = "both"


class TilesConfig(Config):
    """Division of a recording into tiles for the network.

    >>> TilesConfig(seconds=0.5).samples(sample_rate=8000, default=3000)
    4000
    >>> TilesConfig().samples(sample_rate=8000, default=3000)
    3000
    """

    seconds: TileSeconds | None = None
    """Length of a tile; null is the length of the model's input."""
    overlap_seconds: NotNegative = 0.5
    batch: Count = 1
    """Number of tiles that are optimized together."""
    tolerance: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """For `transfer` by gradients: by which share of their length tiles may be longer, so that a
    file needs one tile less."""

    def samples(self, sample_rate: int, default: int) -> int:
        """Return the length of a tile.

        Args:
          sample_rate: sample rate of the tiles in Hz.
          default: length of the model's input.
        """
        return default if self.seconds is None else round(self.seconds * sample_rate)


class OutputConfig(Config):
    """Settings of an output file: filters, then level."""

    filter: FilterConfig = FilterConfig()
    normalize: Normalization = "limit"


class RenderConfig(OutputConfig):
    """Settings of every recipe: mask, tiles, and rendering of the change."""

    mask: MaskConfig = MaskConfig()
    tiles: TilesConfig = TilesConfig()
    mix: Fraction = 1.0
    """Share of the change in the output: 0 is the original."""
    curves: Curves = Field(default_factory=dict)
    """Settings that vary over time, by dotted key; they replace the constant values."""

    @property
    def continuous_settings(self) -> tuple[str, ...]:
        """Settings whose curves vary within tiles; those of others are constant in each tile."""
        return "mix", "mask.strength", "canvas.bound_db"

    @model_validator(mode="after")
    def _curves_fit(self) -> "RenderConfig":
        check_curves(self, self.curves)
        return self


class Recipe(RenderConfig):
    """Settings of the recipes that optimize: canvas, octaves, optimizer."""

    canvas: AnyCanvas = Field({"kind": "gains"}, validate_default=True)
    octaves: OctavesConfig = OctavesConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    repeats: Count = 1
    """Number of passes; each further pass modifies the result of the previous one."""
    precision: Precision = "float32"
    seed: Seed = 0


class DreamConfig(Recipe):
    """Settings of `dream`.

    >>> DreamConfig(objective="layer_norm(conv3)").optimizer.kind
    'adam'
    """

    packaged_in: ClassVar[str] = "dream"
    objective: str = "layer_norm()"
    init: Literal["original", "noise"] = "original"
    """Initial sound of the canvas."""

    @model_validator(mode="after")
    def _fits_together(self) -> "DreamConfig":
        _check_init(self.init, "original", self.canvas)
        return self


def _check_init(init: str, unrestricted: str, canvas: CanvasConfig) -> None:
    if init != unrestricted and not canvas.adds_sound:
        raise ValueError(
            f"init={init} needs a canvas that can add sound; use canvas={{kind: waveform}}"
        )


class RunNetworkConfig(Config):
    """The model of a run, with its frontend and the length of its input."""

    kind: Literal["run"]


class FeatureNetworkConfig(Config):
    """A feature network that is not a run: architecture, frontend, and length of its input."""

    kind: Literal["features"]
    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    sample_rate: SampleRate = 22050
    clip_seconds: ClipSeconds = 10.0
    frontend: AnyFrontend


NetworkConfig = Annotated[RunNetworkConfig | FeatureNetworkConfig, Field(discriminator="kind")]


Statistic = Literal["envelope", "modulation", "autocorrelation"]
"""A statistic of sound over time: the spectral envelope, the modulation of bands at several time
scales, or the autocorrelation of onsets."""


class TransferConfig(Recipe):
    """Settings of `transfer` by gradients: layers of style and content, weights, optimization."""

    packaged_in: ClassVar[str] = "transfer"
    method: Literal["gradient"] = "gradient"
    network: NetworkConfig
    style_layers: dict[str, NotNegative]
    """Weight λ of each layer whose Gram matrix represents the style."""
    content_layers: dict[str, NotNegative] = Field(default_factory=dict)
    """Weight of each layer whose activations represent the content."""
    style_weight: NotNegative = 1.0
    content_weight: NotNegative = 0.0
    style_strength: Fraction | None = None
    """Replaces the two weights: 0 preserves the content, 1 uses the style alone. Both losses are
    then relative: to the initial style distance, and to the energy of the content's activations."""
    keep: tuple[Literal["rhythm", "harmony"], ...] = ()
    """Features of the content to preserve: the onset strength, the pitch classes over time. The
    style loss is then relative to its initial value."""
    keep_weight: NotNegative = 1.0
    """Weight of the distance of each of them, relative to its energy in the content."""
    style_statistics: dict[Statistic, NotNegative] = Field(default_factory=dict)
    """Weight of each statistic of the style over time, which do not depend on pitch. The style
    loss and each of them are then relative to their initial values."""
    gram: Literal["channels", "time"] = "channels"
    gram_normalization: Literal["gatys", "mse", "normalized_mse"] = "gatys"
    """Scale of the squared difference of Gram matrices: Gatys et al.'s, the mean square of matrices
    divided by their positions, or of matrices divided by channels and positions."""
    init: Literal["content", "style", "noise"] = "content"
    """Initial sound of the canvas."""

    @model_validator(mode="after")
    def _fits_together(self) -> "TransferConfig":
        if not self.style_layers:
            raise ValueError("style_layers names no layer; give one with its weight")
        _check_init(self.init, "content", self.canvas)
        if self.style_strength is not None and not self.content_layers and self.style_strength < 1:
            raise ValueError(
                f"style_strength={self.style_strength:g} preserves content, but content_layers is "
                "empty; name a layer, or use style_strength=1"
            )
        return self


class MappingConfig(RenderConfig):
    """Settings of the transfers that apply gains computed from both recordings, in one pass."""

    style_strength: Fraction = 1.0
    """Factor of the gains: 0 is the content, 1 the style as far as gains reach it."""
    noise_reduction_db: NotNegative = 4.0
    """Reduction of the amplification of bands that the content leaves nearly empty."""
    added_db: NotPositive | None = None
    """Level of sound that replaces the amplification of those bands, relative to the style's
    expected level: the content itself, distorted. null adds none."""

    @property
    def continuous_settings(self) -> tuple[str, ...]:
        return "mix", "mask.strength", "style_strength"


class TimbreConfig(MappingConfig):
    """Settings of `transfer` with method=timbre: gains that follow the notes of the content.

    >>> TimbreConfig(method="timbre").style_strength
    1.0
    """

    packaged_in: ClassVar[str] = "transfer"
    method: Literal["timbre"]
    model: str | None = None
    """Transfer network: a run folder, or the name of a preset. null uses regressions of both
    recordings' spectra on loudness, register and attack."""
    residual_share: Fraction = 0.3
    """For model=null: share of the content's own deviation from its expected spectrum that is
    removed."""


class RhythmConfig(MappingConfig):
    """Settings of `transfer` with method=rhythm: the style's levels within a bar.

    >>> RhythmConfig(method="rhythm").beats_per_bar
    4
    """

    packaged_in: ClassVar[str] = "transfer"
    method: Literal["rhythm"]
    beats_per_bar: Annotated[int, Field(ge=1, le=16)] = 4
    """Number of beats in a bar of both recordings."""
