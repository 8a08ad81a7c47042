"""Classify, dream and change recorded music with the networks that hear it."""

__version__ = "0.1.0"
