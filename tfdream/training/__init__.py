"""Fitting a model to a dataset, and the run folder that results."""
