"""Functions that tests call in other processes, which import this module."""

import logging
import os

from tfdream.errors import ConfigError
from tfdream.io import processes


def double(progress, value, fails=False):
    """Work that reports progress, logs and fails on request."""
    logging.getLogger("tfdream.test").warning("value %d", value)
    progress(1, 2, note="half")
    if fails:
        raise ConfigError(f"{value} is wrong")
    return 2 * value, os.getpid()


def end(progress):
    os._exit(7)


def absolute_in_pool(progress, value):
    with processes.pool(1) as pool:
        return pool.submit(abs, value).result()
