"""Gains that follow the notes of a content, smooth over frequency: the notes stay.

A `GainModel` analyzes the style and gives the gains of every frame of a content: those of its
timbre, by a regression or a trained transfer network, or those of its rhythm. `GainProcessor`
applies them.
"""

from tfdream.synthesis.mapping.base import GainModel, Mapping
from tfdream.synthesis.mapping.content import ContentGains
from tfdream.synthesis.mapping.network import NetworkTimbre
from tfdream.synthesis.mapping.processor import GainProcessor
from tfdream.synthesis.mapping.regression import RegressionTimbre
from tfdream.synthesis.mapping.rhythm import RhythmModel

__all__ = [
    "ContentGains",
    "GainModel",
    "GainProcessor",
    "Mapping",
    "NetworkTimbre",
    "RegressionTimbre",
    "RhythmModel",
]
