"""Recordings that are loaded on the page: limits, and copies that last."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.io.atomic import replacing
from tfdream.io.checksums import file_sha256
from tfdream.studio.paths import shortest

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits of a recording.

    Attributes:
      megabytes: largest size, in 10^6 bytes.
      minutes: longest duration.
    """

    megabytes: float = 200.0
    minutes: float = 20.0

    @property
    def bytes(self) -> int:
        """Largest size in bytes."""
        return round(self.megabytes * _MEGABYTE)

    def check(self, path: str | Path) -> None:
        """Check a recording.

        Raises:
          AudioError: if it is too large, too long, or cannot be read.
        """
        path = Path(path)
        size = path.stat().st_size
        if size > self.bytes:
            raise AudioError(
                f"'{path.name}' has {size / _MEGABYTE:.1f} MB, more than the limit of "
                f"{self.megabytes:g} MB; use a shorter part or start with a higher --max-megabytes"
            )
        try:
            seconds = audio.seconds(path)
        except AudioError as error:  # the folder of an upload has no meaning for the user
            raise AudioError(str(error).replace(str(path), path.name)) from None
        if seconds > self.minutes * 60:
            raise AudioError(
                f"'{path.name}' lasts {seconds / 60:.1f} minutes, longer than the limit of "
                f"{self.minutes:g}; use a shorter part or start with a higher --max-minutes"
            )


def keep(upload: str | Path, folder: str | Path, limits: Limits) -> Path:
    """Check an upload and copy it to a folder where it remains, so that commands can name it.

    Equal files of the same name are stored once.

    Args:
      upload: temporary file of the server.
      folder: folder of the copies.
      limits: largest size and duration.

    Returns:
      The copy, ``FOLDER/<hash of the content>/<name>``; its path is relative to the current folder
      if it is in it.

    Raises:
      AudioError: if it is too large, too long, or cannot be read.
    """
    upload = Path(upload)
    limits.check(upload)
    digest = file_sha256(upload)[:12]
    copy = Path(folder) / digest / upload.name
    if not copy.is_file():
        with replacing(copy) as temporary:
            shutil.copyfile(upload, temporary)
    return shortest(copy)
