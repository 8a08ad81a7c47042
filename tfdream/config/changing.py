"""Settings of how recordings are changed: canvas, optimiser, octaves, tiles, recipes."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tfdream.config.learning import FrontendConfig, StftSpec
from tfdream.config.section import Count, NotNegative, Positive, Section, Seed, Share


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
    options: dict[str, Any] = Field(default_factory=dict)
    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 22050
    clip_seconds: Positive = 10.0
    frontend: FrontendConfig


NetworkConfig = Annotated[RunNetworkConfig | FeatureNetworkConfig, Field(discriminator="kind")]


class TransferConfig(Section):
    """What `transfer` takes over from the style, what it keeps of the content, and how."""

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
