"""Conversion of the errors of libraries and of the system to one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from tfdream.errors import AudioError, OutputError


@contextmanager
def audio_errors(path: Path, kind: type[AudioError] = AudioError) -> Iterator[None]:
    """Convert errors of libsndfile, libav and of the system inside the block.

    Args:
      path: the file that is read or written.
      kind: the class to raise; `OutputError` for a file that is written.

    Raises:
      AudioError: of class `kind`, naming `path` and the reason in one line.
    """
    try:
        yield
    except AudioError:
        raise
    except MemoryError:
        raise kind(f"'{path}' needs more memory than its decoder may use") from None
    except Exception as error:
        if not _is_expected(error):
            raise
        verb = "written" if kind is OutputError else "decoded"
        reason = _reason(error, path)
        if kind is OutputError and reason == "System error":
            reason += "; check the free disk space and the permissions of the folder"
        raise kind(f"'{path}' cannot be {verb}: {reason}") from None


def _is_expected(error: Exception) -> bool:
    # The classes of libav are recognized by their module, so that this one does not import it.
    expected = (soundfile.LibsndfileError, OSError, ValueError, TypeError, RuntimeError)
    return isinstance(error, expected) or type(error).__module__.startswith("av.")


def _reason(error: Exception, path: Path) -> str:
    """Return the reason of an error in one line, without the path."""
    if "InvalidDataError" in type(error).__name__:
        converted = f"{path.stem}.{'flac' if path.suffix.lower() == '.wav' else 'wav'}"
        return (
            "damaged data, or a format that is not supported; try to convert it: "
            f"ffmpeg -i '{path.name}' '{converted}'"
        )
    text = str(error)
    if isinstance(error, soundfile.LibsndfileError):
        text = error.error_string
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return " ".join(text.split()).rstrip(". ") or "damaged data"
