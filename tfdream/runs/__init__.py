"""Run folders: saved models with configuration, labels, weights, metrics and resume state."""

import lazy_loader

# The names are imported at their first use: a list of presets needs neither Keras nor TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
