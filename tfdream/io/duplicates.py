"""Files with identical content."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from tfdream.io.checksums import file_sha256

_END_BYTES = 1 << 16


def identical_files(paths: Iterable[str | Path]) -> list[list[Path]]:
    """Return the sets of files whose bytes are identical, in the order of their first files.

    Only files of equal size are read: first both ends, and completely only if the ends are equal.
    Empty, missing and unreadable files are ignored.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     paths = [Path(folder) / name for name in ("a", "b", "c", "d")]
    ...     for path, text in zip(paths, ("one", "two", "one", "three"), strict=True):
    ...         _ = path.write_text(text)
    ...     [[path.name for path in same] for same in identical_files(paths)]
    [['a', 'c']]
    """
    candidates = [[Path(path) for path in paths]]
    for digest in (_size, digest_of_ends, file_sha256):
        candidates = [same for each in candidates for same in _split(each, digest)]
    return candidates


def _split(paths: list[Path], digest: Callable[[Path], Hashable]) -> list[list[Path]]:
    """Group files by a property of their content; single files are left out."""
    groups: dict[Hashable, list[Path]] = defaultdict(list)
    for path in paths:
        try:
            key = digest(path)
        except OSError:
            continue
        if key:
            groups[key].append(path)
    return [same for same in groups.values() if len(same) > 1]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def digest_of_ends(path: Path) -> bytes:
    """Return a digest of the first and the last 64 KiB of a file."""
    with path.open("rb") as file:
        start = file.read(_END_BYTES)
        file.seek(max(0, path.stat().st_size - _END_BYTES))
        return hashlib.sha256(start + file.read(_END_BYTES)).digest()
