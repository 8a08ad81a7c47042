"""Frozen, validated configuration: one YAML file per published system or recommended recipe.

`load` takes the name of a packaged file (``lil_data``, ``dream/recommended``) or a path, applies
overrides, and rejects unknown settings. Derived values are properties.

Frontends, augmentations and other extensible parts define their sections beside their code; only
the base sections are here. `tfdream.config.registry` discovers the others.
"""

from tfdream.config.augmentation import (
    AnyAugmentation,
    AugmentationConfig,
    ImageAugmentationConfig,
    WaveformAugmentationConfig,
)
from tfdream.config.base import (
    Config,
    Count,
    NotNegative,
    NotPositive,
    Positive,
    Seed,
    Share,
)
from tfdream.config.canvases import (
    AnyCanvas,
    AnyLevelCanvas,
    CanvasConfig,
    LevelCanvasConfig,
    MaskConfig,
    PhaseConfig,
)
from tfdream.config.classification import Experiment, TrainingConfig
from tfdream.config.curves import CurveConfig
from tfdream.config.experiments import load_experiment, validate_experiment
from tfdream.config.explanation import ExplainConfig
from tfdream.config.filtering import FilterConfig
from tfdream.config.frontends import (
    AnyFrontend,
    FrontendConfig,
    ImageFrontendConfig,
    StftImageConfig,
    StftSpec,
)
from tfdream.config.generation import GenerateConfig, GenerationExperiment, GenerationTrainingConfig
from tfdream.config.loading import as_override, describe, load, names, overridden, validate
from tfdream.config.musaic import MusaicConfig
from tfdream.config.preparation import PrepareConfig, parse_labels
from tfdream.config.recipes import (
    DreamConfig,
    FeatureNetworkConfig,
    GaussianSmoothingConfig,
    LaplacianSmoothingConfig,
    MappingConfig,
    NetworkConfig,
    Normalization,
    OctavesConfig,
    OptimizerConfig,
    OutputConfig,
    Precision,
    Recipe,
    RenderConfig,
    RhythmConfig,
    RunNetworkConfig,
    SmoothingConfig,
    TilesConfig,
    TimbreConfig,
    TransferConfig,
)
from tfdream.config.training import (
    BaseExperiment,
    BaseTrainingConfig,
    ModelConfig,
    SupervisedTrainingConfig,
)
from tfdream.config.transfer_networks import TransferExperiment, TransferTrainingConfig
from tfdream.config.transfers import AnyTransfer, load_transfer
from tfdream.config.translation import (
    TranslateConfig,
    TranslationExperiment,
    TranslationTrainingConfig,
)

__all__ = [
    "AnyAugmentation",
    "AnyCanvas",
    "AnyFrontend",
    "AnyLevelCanvas",
    "AnyTransfer",
    "AugmentationConfig",
    "BaseExperiment",
    "BaseTrainingConfig",
    "CanvasConfig",
    "Config",
    "Count",
    "CurveConfig",
    "DreamConfig",
    "Experiment",
    "ExplainConfig",
    "FeatureNetworkConfig",
    "FilterConfig",
    "FrontendConfig",
    "GaussianSmoothingConfig",
    "GenerateConfig",
    "GenerationExperiment",
    "GenerationTrainingConfig",
    "ImageAugmentationConfig",
    "ImageFrontendConfig",
    "LaplacianSmoothingConfig",
    "LevelCanvasConfig",
    "MappingConfig",
    "MaskConfig",
    "ModelConfig",
    "MusaicConfig",
    "NetworkConfig",
    "Normalization",
    "NotNegative",
    "NotPositive",
    "OctavesConfig",
    "OptimizerConfig",
    "OutputConfig",
    "PhaseConfig",
    "Positive",
    "Precision",
    "PrepareConfig",
    "Recipe",
    "RenderConfig",
    "RhythmConfig",
    "RunNetworkConfig",
    "Seed",
    "Share",
    "SmoothingConfig",
    "StftImageConfig",
    "StftSpec",
    "SupervisedTrainingConfig",
    "TilesConfig",
    "TimbreConfig",
    "TrainingConfig",
    "TransferConfig",
    "TransferExperiment",
    "TransferTrainingConfig",
    "TranslateConfig",
    "TranslationExperiment",
    "TranslationTrainingConfig",
    "WaveformAugmentationConfig",
    "as_override",
    "describe",
    "load",
    "load_experiment",
    "load_transfer",
    "names",
    "overridden",
    "parse_labels",
    "validate",
    "validate_experiment",
]
