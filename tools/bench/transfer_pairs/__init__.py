"""Pairs of recordings with a target, measures and baselines of style transfers."""
