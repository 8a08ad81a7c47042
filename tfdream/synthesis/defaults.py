"""Defaults that the command line shows without importing TensorFlow."""

GENERATED_SECONDS = 30.0
"""Duration of generated audio, without the prompt."""
