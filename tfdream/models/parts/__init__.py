"""Layers and sub-networks that several architectures share."""
