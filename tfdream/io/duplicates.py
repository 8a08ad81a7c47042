"""Files with identical content."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from tfdream.io.checksums import file_sha256

_BLOCKS, _BLOCK_BYTES = 8, 1 << 13


def identical_files(paths: Iterable[str | Path]) -> list[list[Path]]:
    """Return the sets of files whose bytes are identical, in the order of their first files.

    Only files of equal size are read: first some blocks, and completely only if these are equal.
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
    for digest in (_size, digest_of_blocks, file_sha256):
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


def digest_of_blocks(path: Path) -> bytes:
    """Return a digest of 8 blocks of 8 KiB, which are spread evenly over a file."""
    digest = hashlib.sha256()
    last = max(0, path.stat().st_size - _BLOCK_BYTES)
    with path.open("rb") as file:
        for block in range(_BLOCKS):
            file.seek(last * block // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK_BYTES))
    return digest.digest()
