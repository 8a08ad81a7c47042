from .card import ModelCard, TrainingData
from .catalog import Preset, find, list_presets
from .store import Source, describe, install, remove

__all__ = [
    "ModelCard",
    "Preset",
    "Source",
    "TrainingData",
    "describe",
    "find",
    "install",
    "list_presets",
    "remove",
]
