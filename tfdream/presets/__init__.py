"""Presets: networks that are used by name, with a card that states what they were trained on."""

import lazy_loader

# The names are imported at their first use: a list of presets needs neither Keras nor TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
