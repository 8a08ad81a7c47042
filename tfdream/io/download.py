"""Files from the network, checked by their SHA-256."""

from pathlib import Path

import pooch
import requests

from tfdream.errors import ModelError, one_line
from tfdream.io.progress import ProgressFn, no_progress


def fetch(url: str, sha256: str, path: str | Path, progress: ProgressFn = no_progress) -> Path:
    """Download a file over HTTP or HTTPS, completely or not at all.

    Args:
      url: address of the file.
      sha256: the hash that it must have, in hexadecimal.
      path: where it is written.
      progress: receives downloaded and all bytes.

    Returns:
      The path.

    Raises:
      ModelError: if the download fails or the file has another hash.
    """
    path = Path(path)
    if not url.lower().startswith(("https://", "http://")):
        raise ModelError(f"'{url}' is not an address that starts with https:// or http://")
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=_Progress(progress))
    try:
        pooch.retrieve(url, f"sha256:{sha256.lower()}", path.name, path.parent, None, downloader)
    # requests raises the first for connections, pooch the second for another hash.
    except (requests.RequestException, ValueError) as error:
        reason = one_line(error)
        raise ModelError(
            f"'{url}' cannot be downloaded ({reason}); download it by other means and use --from"
        ) from None
    return path


class _Progress:
    """Reports in the form that pooch requires of a progress bar."""

    def __init__(self, report: ProgressFn) -> None:
        self.total = 0
        self._report = report
        self._done = 0

    def update(self, count: int) -> None:
        """Add downloaded bytes."""
        self._done += count
        self._report(self._done, max(self.total, self._done))

    def reset(self) -> None:
        """Start from zero; pooch resets a bar before its last update."""
        self._done = 0

    def close(self) -> None:
        """End the report."""
