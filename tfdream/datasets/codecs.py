"""Codecs of clips that this installation decodes."""

import importlib.util

from tfdream.config import PrepareConfig
from tfdream.errors import DatasetError


def decodes(codec: str) -> bool:
    """Return whether this installation decodes clips of a codec."""
    return codec != "flac" or importlib.util.find_spec("tensorflow_io") is not None


def check_codec(config: PrepareConfig) -> None:
    """Check that this installation decodes the clips of a dataset.

    Raises:
      DatasetError: if the codec needs a library that is not installed.
    """
    if not decodes(config.codec):
        raise DatasetError(
            "codec=flac is decoded by tensorflow-io, which is not installed; install "
            "'tfdream[flac]', or prepare with --set prepare.codec=pcm16"
        )
