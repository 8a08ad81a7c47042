"""Transfer of timbre: gains that follow the notes of the content, smooth over frequency.

A `TimbreModel` analyzes the style and gives the gains of every frame of a content: by a regression
without a network, or by a trained transfer network. `TimbreProcessor` applies them.
"""

from tfdream.synthesis.timbre.base import Mapping, TimbreModel
from tfdream.synthesis.timbre.network import NetworkTimbre
from tfdream.synthesis.timbre.processor import TimbreProcessor
from tfdream.synthesis.timbre.regression import RegressionTimbre

__all__ = ["Mapping", "NetworkTimbre", "RegressionTimbre", "TimbreModel", "TimbreProcessor"]
