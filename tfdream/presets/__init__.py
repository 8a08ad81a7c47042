"""Presets: networks that are used by name, with a card that states what they were trained on."""

from tfdream.presets.card import ModelCard, TrainingData
from tfdream.presets.store import Preset, Source, describe, find, install, list_presets, remove

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
