"""Gradient ascent on objectives of a network's activations."""
