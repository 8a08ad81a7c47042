"""Pictures: each function draws one figure and writes it as PNG, SVG or PDF, by the extension.

They draw what they are given, recordings and runs apart: arrays, their names and their axes.
"""

from tfdream.figures.inputs import InputAxes
from tfdream.figures.kernels import Kernels, filters
from tfdream.figures.learning import classes, confusion, history, per_class
from tfdream.figures.networks import autocorrelograms, grams, octaves
from tfdream.figures.overview import FrequencyScale
from tfdream.figures.recordings import spectrograms
from tfdream.figures.sheet import check_writable

__all__ = [
    "FrequencyScale",
    "InputAxes",
    "Kernels",
    "autocorrelograms",
    "check_writable",
    "classes",
    "confusion",
    "filters",
    "grams",
    "history",
    "octaves",
    "per_class",
    "spectrograms",
]
