"""Classify, dream, transfer and generate music with neural networks."""

__version__ = "0.1.0"
