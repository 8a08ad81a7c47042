"""Messages of other libraries, which are shown if `TFDREAM_LIBRARY_LOGS` is set."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfdream.io.descriptors import redirected

_STDERR = 2


def shows_library_logs() -> bool:
    """Return whether messages of other libraries are shown, for the search of errors."""
    return bool(os.environ.get("TFDREAM_LIBRARY_LOGS"))


def silence_libraries() -> None:
    """Suppress messages of other libraries in this process, unless they are shown.

    Errors are exceptions, which are reported. Call it before TensorFlow is imported.
    """
    if shows_library_logs():
        return
    # TensorFlow reads this variable on import; 3 shows fatal errors only.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # TensorFlow warns of repeated tracing, which is intended: every octave has its own shape.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # Python prints warnings of loggers without a handler, such as absl's.
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"(?!tfdream\b)")


@contextmanager
def without_native_logs() -> Iterator[None]:
    """Discard what native code prints on standard error, unless messages are shown.

    Some of it ignores the variable that `silence_libraries` sets. Errors are exceptions, which are
    reported after this block.
    """
    if shows_library_logs():
        yield
        return
    sys.stderr.flush()
    with Path(os.devnull).open("w") as nowhere, redirected(_STDERR, nowhere.fileno()):
        yield
