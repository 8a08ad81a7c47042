"""Decoders: the one place that selects how an audio file is opened for reading.

libsndfile decodes wav, flac, ogg, mp3, aiff and more. Another decoder implements `Decoder` and is
selected in `open_decoder`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import soundfile

from tfdream.audio.streams import Samples
from tfdream.errors import AudioError, OutputError
from tfdream.io.atomic import is_unicode


class Decoder(Protocol):
    """An open audio file that decodes blocks of samples; `soundfile.SoundFile` is one."""

    @property
    def samplerate(self) -> int:
        """Sample rate in Hz."""

    @property
    def channels(self) -> int:
        """Number of channels."""

    @property
    def frames(self) -> int:
        """Number of samples per channel according to the header."""

    def seek(self, frames: int) -> int:
        """Move to a position in samples."""

    def read(self, frames: int, dtype: str, always_2d: bool) -> Samples:
        """Decode up to `frames` samples, `[samples, channels]`; no sample at the end."""

    def close(self) -> None:
        """Close the file."""


def open_decoder(path: Path) -> Decoder:
    """Open an audio file for reading.

    Raises:
      AudioError: if the file is missing, empty or not audio.
    """
    with audio_errors(path):  # the name may be too long, or the folder not accessible
        is_file = path.is_file()
        is_empty = is_file and path.stat().st_size == 0
    if not is_unicode(path):  # neither libsndfile nor a sidecar supports it
        raise AudioError(f"'{path}' has a name that is not valid Unicode; rename it")
    if not is_file:
        raise AudioError(f"'{path}' does not exist or is not a file")
    if is_empty:  # libsndfile's message is that the file does not exist
        raise AudioError(f"'{path}' is empty")
    with audio_errors(path):
        decoder: Decoder = soundfile.SoundFile(path)
    return decoder


@contextmanager
def audio_errors(path: Path, kind: type[AudioError] = AudioError) -> Iterator[None]:
    """Convert errors of libsndfile and of the system inside the block.

    Args:
      path: the file that is read or written.
      kind: the class to raise; `OutputError` for a file that is written.

    Raises:
      AudioError: of class `kind`, naming `path` and the reason in one line.
    """
    try:
        yield
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError, RuntimeError) as error:
        text = getattr(error, "error_string", str(error))  # libsndfile's, without the path
        reason = " ".join(text.split()).rstrip(". ") or "damaged data"
        if reason.startswith("File does not exist"):  # it does: libmpg123 cannot decode it
            reason = "damaged data"
        verb = "written" if kind is OutputError else "decoded"
        if kind is OutputError and reason == "System error":
            reason += "; check the free disk space and the permissions of the folder"
        raise kind(f"'{path}' cannot be {verb}: {reason}") from None
