"""Musaicing: the content, composed of frames of the style, which may be shifted in pitch.

Source: Driedger, Prätzlich and Müller, "Let It Bee – Towards NMF-inspired audio mosaicing", 2015.
"""

from tfdream.synthesis.musaic.activations import activate
from tfdream.synthesis.musaic.composition import Musaic
from tfdream.synthesis.musaic.dictionary import Dictionary
from tfdream.synthesis.musaic.processor import ContentSpectrum, MusaicProcessor

__all__ = ["ContentSpectrum", "Dictionary", "Musaic", "MusaicProcessor", "activate"]
