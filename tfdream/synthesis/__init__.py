"""Changing music: a canvas, an objective, and the one loop that joins them."""
