"""Run folders in zip archives, tar archives and safetensors files from untrusted sources."""

import errno
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from tfdream.errors import ModelError, one_line
from tfdream.presets import safetensors
from tfdream.runs.info import EXCERPT_FILES, INFO_FILE, WEIGHTS_FILE

FILES = (*safetensors.TEXTS, WEIGHTS_FILE, *EXCERPT_FILES)
"""The files of a run that a preset consists of; others are not read."""
MAX_BYTES = 1 << 30
"""Limit for the size of one file."""
_BLOCK_BYTES = 1 << 20

_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(RuntimeError, NotImplementedError, ValueError),
)
_Open = Callable[[str], "IO[bytes] | None"]


def unpack(archive: Path, folder: Path) -> None:
    """Copy the files of the only run in an archive into a folder.

    Members are read by their names and written under the names of `FILES`: paths of the archive are
    never used as paths of the file system.

    Args:
      archive: a zip, wheel, or tar file, compressed or not, or a safetensors file.
      folder: an existing folder.

    Raises:
      ModelError: if the archive is damaged, contains no run or several, or a file is too large.
      OSError: if the archive cannot be opened, or a file cannot be written.
    """
    if safetensors.is_safetensors(archive):
        safetensors.unpack(archive, folder)
        return
    try:
        with _members(archive) as (sizes, open_member):
            roots = sorted(
                {PurePosixPath(name).parent for name in sizes if _file_name(name) == INFO_FILE}
            )
            if len(roots) != 1:
                raise ModelError(
                    f"'{archive}' contains {len(roots)} run folders (files named {INFO_FILE}); "
                    "give an archive of one run"
                )
            for name, size in sizes.items():
                if PurePosixPath(name).parent != roots[0] or _file_name(name) not in FILES:
                    continue
                if size > MAX_BYTES:
                    raise ModelError(
                        f"'{name}' in '{archive}' has {size} bytes, more than {MAX_BYTES}"
                    )
                member = open_member(name)
                if member is not None:
                    (folder / _file_name(name)).write_bytes(_read(member, size))
    except _DAMAGED as error:
        # Damage has no number, or that of a seek to an impossible position.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = one_line(error) or type(error).__name__
        raise ModelError(f"'{archive}' cannot be unpacked: {reason}") from None


def _file_name(member: str) -> str:
    return PurePosixPath(member).name


def _read(member: IO[bytes], size: int) -> bytes:
    with member:
        content = member.read(size + 1)
    if len(content) != size:
        raise ValueError(f"a member of {size} bytes unpacks to another size")
    return content


@contextmanager
def _members(archive: Path) -> Iterator[tuple[dict[str, int], _Open]]:
    """Yield the size of each regular file by name, and a function that opens one."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            infos = [info for info in packed.infolist() if not info.is_dir()]
            yield {info.filename: info.file_size for info in infos}, packed.open
        return
    if not tarfile.is_tarfile(archive):
        raise ModelError(
            f"'{archive}' is neither a run folder nor a zip, tar or safetensors file; give one "
            "that contains a run"
        )
    with tarfile.open(archive) as packed_tar:
        members = {each.name: each for each in packed_tar.getmembers() if each.isfile()}
        _read_to_the_end(packed_tar)
        yield (
            {name: member.size for name, member in members.items()},
            lambda name: packed_tar.extractfile(members[name]),
        )


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """Read what follows the last member: the checksum of a compressed stream is at its end."""
    assert archive.fileobj is not None
    while archive.fileobj.read(_BLOCK_BYTES):
        pass
