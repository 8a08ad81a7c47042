"""Keras models: classifiers, GANs, sequence models and feature networks."""
