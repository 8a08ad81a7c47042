"""Settings of how recordings are changed: optimizer, octaves, tiles, recipes."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tfdream.config.base import Config, Count, NotNegative, Positive, Seed
from tfdream.config.canvases import CanvasConfig, GainCanvasConfig, MaskConfig
from tfdream.config.frontends import AnyFrontend


class GaussianSmoothingConfig(Config):
    """A cascade: the mean of three blurs of the gradient, of half, once and twice a width.

    Source: Aleksa Gordić's and ProGamerGov's Deep Dreams in PyTorch.
    """

    kind: Literal["gaussian"]
    sigma: Positive = 0.5
    """Of the middle blur at the first step, in cells of the canvas."""
    growth: NotNegative = 2.0
    """How much wider it is at the last step."""


class LaplacianSmoothingConfig(Config):
    """A pyramid: every scale of the gradient gets the same strength, so that coarse shapes count.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism", TensorFlow's DeepDream notebook.
    """

    kind: Literal["laplacian"]
    levels: Count = 4


SmoothingConfig = Annotated[
    GaussianSmoothingConfig | LaplacianSmoothingConfig, Field(discriminator="kind")
]


class OptimizerConfig(Config):
    """How `ascend` climbs: normalized gradient steps, Adam, or L-BFGS-B."""

    kind: Literal["gradient", "adam", "lbfgs"] = "adam"
    steps: Count = 20
    """Steps per octave; L-BFGS-B takes a few more evaluations than steps."""
    step_size: Positive = 1.5
    """In the canvas's own unit: dB for gains, the frontend's level, full scale for samples."""
    tolerance: NotNegative = 0.0
    """Stop when `patience` steps together gain less than this share of the objective."""
    patience: Count = 20
    jitter_seconds: NotNegative = 0.0
    """Each step sees the sound shifted in time, circularly, by up to this much."""
    smoothing: SmoothingConfig | None = None
    """Of the gradient, before each step."""

    @model_validator(mode="after")
    def _has_steps_to_vary(self) -> "OptimizerConfig":
        if self.kind == "lbfgs" and (self.jitter_seconds or self.smoothing):
            raise ValueError(
                "kind=lbfgs needs the true gradient of one function; use kind=adam or gradient "
                "with jitter_seconds or smoothing"
            )
        return self


Precision = Literal["float32", "bfloat16"]
"""Of the network's products; sums and the canvas are always float32."""


Normalization = Literal["limit", "loudness"] | Annotated[float, Field(gt=0, le=1)]
"""How loud a file gets: as it comes, and softer only where it would pass full scale; or all of it
softer, where it would be louder than the original; or with this largest sample."""


class OctavesConfig(Config):
    """Scales of the view: the image is shrunk by scale^k, the smallest first."""

    count: Count = 1
    scale: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 1.4
    axes: Literal["both", "time"] = "both"


class TilesConfig(Config):
    """How a recording of any length is cut for the network, and joined again."""

    seconds: Positive | None = None
    """Length of a tile; without, the length of the clips that the model was trained on."""
    overlap_seconds: NotNegative = 0.5
    batch: Count = 1
    """Tiles changed at a time."""


class RenderConfig(Config):
    """What all recipes share: how a recording is cut, and what becomes of the change."""

    mask: MaskConfig = MaskConfig()
    tiles: TilesConfig = TilesConfig()
    mix: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How much of the change is kept: 0 is the original."""
    normalize: Normalization = "limit"


class Recipe(RenderConfig):
    """What recipes share that optimize: what, and how."""

    canvas: CanvasConfig = GainCanvasConfig(kind="gains")
    octaves: OctavesConfig = OctavesConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    repeats: Count = 1
    """How often the result is changed again."""
    precision: Precision = "float32"
    seed: Seed = 0


class DreamConfig(Recipe):
    """What `dream` maximizes, on what, and how."""

    packaged_in: ClassVar[str] = "dream"
    objective: str = "layer_norm()"
    init: Literal["original", "noise"] = "original"

    @model_validator(mode="after")
    def _fits_together(self) -> "DreamConfig":
        _check_init(self.init, "original", self.canvas.kind)
        return self


# Canvases that hold to the original, and cannot hold another sound.
_KEEPS_TO_THE_ORIGINAL = ("gains", "mixture", "phase")


def _check_init(init: str, harmless: str, kind: str) -> None:
    if init != harmless and kind in _KEEPS_TO_THE_ORIGINAL:
        raise ValueError(
            f"init={init} needs a canvas that can add sound; use canvas={{kind: waveform}}"
        )


class RunNetworkConfig(Config):
    """The network of a run, with its frontend and clip length."""

    kind: Literal["run"]


class FeatureNetworkConfig(Config):
    """A network that was not trained here: its architecture, and what it listens through."""

    kind: Literal["features"]
    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 22050
    clip_seconds: Positive = 10.0
    frontend: AnyFrontend


NetworkConfig = Annotated[RunNetworkConfig | FeatureNetworkConfig, Field(discriminator="kind")]


class TransferConfig(Recipe):
    """What `transfer` takes over from the style, what it keeps of the content, and how."""

    packaged_in: ClassVar[str] = "transfer"
    network: NetworkConfig
    style_layers: dict[str, NotNegative]
    """Weight λ of each layer whose Gram matrix makes the style."""
    content_layers: dict[str, NotNegative] = Field(default_factory=dict)
    """Weight of each layer whose activations make the content."""
    style_weight: NotNegative = 1.0
    content_weight: NotNegative = 0.0
    style_strength: Annotated[float, Field(ge=0, le=1)] | None = None
    """Instead of the two weights: 0 keeps the content, 1 heeds the style alone. Each side then
    counts as a share: of the style distance at the start, and of the content's own energy."""
    gram: Literal["channels", "time"] = "channels"
    gram_normalization: Literal["gatys", "mse"] = "gatys"
    init: Literal["content", "style", "noise"] = "content"

    @model_validator(mode="after")
    def _fits_together(self) -> "TransferConfig":
        if not self.style_layers:
            raise ValueError("style_layers names no layer; give one with its weight")
        _check_init(self.init, "content", self.canvas.kind)
        if self.style_strength is not None and not self.content_layers and self.style_strength < 1:
            raise ValueError("style_strength below 1 needs content_layers to keep")
        return self
