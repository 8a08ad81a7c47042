"""Frozen, validated configuration: one YAML file per published system or recommended recipe.

`load` takes the name of a packaged file (``lil_data``, ``dream/recommended``) or a path, applies
overrides, and rejects what it does not know. Values that follow from others are properties.
"""

from tfdream.config.changing import (
    CanvasConfig,
    DreamConfig,
    FeatureNetworkConfig,
    GainCanvasConfig,
    LogMagnitudeCanvasConfig,
    NetworkConfig,
    OctavesConfig,
    OptimiserConfig,
    RunNetworkConfig,
    TilesConfig,
    TransferConfig,
    WaveformCanvasConfig,
)
from tfdream.config.learning import (
    Experiment,
    FrontendConfig,
    ModelConfig,
    PrepareConfig,
    RawFrontendConfig,
    SpectrogramFrontendConfig,
    StftSpec,
    TrainingConfig,
)
from tfdream.config.loading import describe, load, names, validate
from tfdream.config.section import Count, NotNegative, Positive, Section, Seed, Share

__all__ = [
    "CanvasConfig",
    "Count",
    "DreamConfig",
    "Experiment",
    "FeatureNetworkConfig",
    "FrontendConfig",
    "GainCanvasConfig",
    "LogMagnitudeCanvasConfig",
    "ModelConfig",
    "NetworkConfig",
    "NotNegative",
    "OctavesConfig",
    "OptimiserConfig",
    "Positive",
    "PrepareConfig",
    "RawFrontendConfig",
    "RunNetworkConfig",
    "Section",
    "Seed",
    "Share",
    "SpectrogramFrontendConfig",
    "StftSpec",
    "TilesConfig",
    "TrainingConfig",
    "TransferConfig",
    "WaveformCanvasConfig",
    "describe",
    "load",
    "names",
    "validate",
]
