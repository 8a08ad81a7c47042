"""Evaluation of classifiers, of results and of sets of audio files."""
