"""What a user can mend: every error that tfdream raises on purpose.

A message names the argument, its value, the limit and the remedy, in one line. The command line
prints it and exits with 1; a library caller catches `TfdreamError` or one of its kinds.
"""


class TfdreamError(Exception):
    """The base of all of them."""


class ConfigError(TfdreamError):
    """A setting that does not exist, does not fit, or contradicts another."""


class AudioError(TfdreamError):
    """A file that cannot be read or written as audio, or whose samples are unusable."""


class OutputError(AudioError):
    """A file that cannot be written to its end; the next one would not fare better."""


class DatasetError(TfdreamError):
    """A source without tracks, or a dataset that is missing, damaged or of other settings."""


class ModelError(TfdreamError):
    """A run, network or layer that is missing or does not fit the request."""


class ClusterError(TfdreamError):
    """Another machine of a training that is missing, or was started otherwise."""
