"""HDF5 and npz that somebody else may have written: looked at before they are read.

Neither holds code: HDF5 has arrays and text alone, and the pickles that npz may hold are never
loaded. What is left to fear are files that stand for others, or for more than fits into memory.
"""

import os
import zipfile
from collections.abc import Collection
from pathlib import Path

import h5py

MOST_BYTES = 1 << 30
"""Of what an npz unpacks to: the picture of ten minutes at 192 kHz takes a half of it."""


_OVERHEAD_BYTES = 8192  # of an array in HDF5, with the groups that it lies in


def reserve_hdf5(path: Path, arrays: Collection[int]) -> None:
    """See that there is room for a file, which HDF5 will write over what is reserved.

    On a full disk HDF5 cannot even close its file, and takes the whole process down.

    Args:
      path: of the file.
      arrays: bytes of each.

    Raises:
      OSError: if there is not.
    """
    with path.open("wb") as file:
        size = sum(arrays) + _OVERHEAD_BYTES * (len(arrays) + 1)
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)


def check_hdf5(path: Path) -> None:
    """See that a file holds its arrays itself, as they are.

    Raises:
      OSError: if it is not HDF5.
      ValueError: if an array lies in another file, or all of them are larger than the file.
    """
    needed = 0
    elsewhere: list[str] = []  # an exception would not find its way through HDF5

    def visit(name: str, link: object) -> None:
        nonlocal needed
        found = file[name] if isinstance(link, h5py.HardLink) else None
        if isinstance(found, h5py.Dataset) and not (found.external or found.is_virtual):
            needed += found.nbytes
        elif not isinstance(found, h5py.Group):
            elsewhere.append(name)

    with h5py.File(path, "r") as file:
        file.visititems_links(visit)
    if elsewhere:
        raise ValueError(f"'{elsewhere[0]}' is said to lie elsewhere, which is not followed")
    size = path.stat().st_size
    if needed > size:
        raise ValueError(f"it would unpack to {needed} bytes, and has only {size}")


def check_npz(path: Path) -> None:
    """See that an archive unpacks to no more than `MOST_BYTES`.

    Raises:
      OSError, zipfile.BadZipFile: if it is not an archive.
      ValueError: if it would.
    """
    with zipfile.ZipFile(path) as archive:
        needed = sum(member.file_size for member in archive.infolist())
    if needed > MOST_BYTES:
        raise ValueError(f"it would unpack to {needed} bytes, more than {MOST_BYTES}")
