"""Exceptions for errors that the user can fix.

A message names the argument, its value, the limit and the remedy, in one line. The command line
prints the message and exits with code 1. Library code catches `TfdreamError` or a subclass.
"""

import difflib
from collections.abc import Iterable, Sequence


class TfdreamError(Exception):
    """Base class of all errors that tfdream raises on purpose."""


class ConfigError(TfdreamError):
    """Raised when a setting does not exist, is out of range, or contradicts another setting.

    Args:
      message: the message.
      problems: number of settings that it names.
    """

    def __init__(self, message: str, problems: int = 1) -> None:
        super().__init__(message)
        self.problems = problems


class AudioError(TfdreamError):
    """Raised when a file is not readable or writable as audio, or has unusable samples."""


class OutputError(AudioError):
    """Raised when an output cannot be written completely; do not continue with further files."""


class DatasetError(TfdreamError):
    """Raised when a source has no tracks, or a dataset is missing, damaged or incompatible."""


class ModelError(TfdreamError):
    """Raised when a run, network or layer is missing or does not fit the request."""


class ClusterError(TfdreamError):
    """Raised when a machine of distributed training is missing or has different arguments."""


def one_line(error: BaseException) -> str:
    """Return the message of another library's error without line breaks.

    >>> one_line(ValueError("the file\\n  is damaged"))
    'the file is damaged'
    """
    return " ".join(str(error).split())


def without_node_name(message: str) -> str:
    """Return the message of an error of TensorFlow without the graph node at its start.

    >>> without_node_name("{{node Add}} the shapes differ")
    'the shapes differ'
    """
    return message.rpartition("}} ")[2]


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """Return the part of a message that suggests the most similar name; empty if none is similar.

    >>> did_you_mean("conv_3", ["conv2", "conv3", "pool"])
    " (did you mean 'conv3'?)"
    >>> did_you_mean("jazz", ["rock"])
    ''
    """
    by_case = {each.casefold(): each for each in available}
    similar = difflib.get_close_matches(name.casefold(), by_case, n=1)
    return f" (did you mean '{by_case[similar[0]]}'?)" if similar else ""


def list_names(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return the part of a message that lists names; of more than `most`, only the first.

    >>> list_names(["jazz", "pop", "rock"], most=2)
    'jazz, pop and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def printable(text: str) -> str:
    """Escape characters that would control the terminal: ``\\n`` for a new line."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
