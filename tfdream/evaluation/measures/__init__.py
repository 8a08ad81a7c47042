"""Measures of a changed file against its original, one module for each kind of measure."""
