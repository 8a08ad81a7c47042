"""Checks for HDF5 and npz files from untrusted sources, made before they are loaded.

Neither format holds code: HDF5 contains arrays and text only, and pickles inside an npz are never
loaded. The remaining risks are arrays stored in other files, and files that unpack to more than
fits into memory.
"""

import os
import zipfile
from collections.abc import Collection
from pathlib import Path

import h5py

MAX_BYTES = 1 << 30
"""Limit for an unpacked npz. A spectrogram of ten minutes at 192 kHz takes half of it."""

_OVERHEAD_BYTES = 8192  # of an HDF5 array, including the groups that contain it


def reserve_hdf5(path: str | Path, arrays: Collection[int]) -> None:
    """Reserve disk space for an HDF5 file, which HDF5 then overwrites.

    On a full disk HDF5 cannot even close its file, and aborts the process.

    Args:
      path: the file to create.
      arrays: size of each array in bytes.

    Raises:
      OSError: if there is not enough space.
    """
    with Path(path).open("wb") as file:
        size = sum(arrays) + _OVERHEAD_BYTES * (len(arrays) + 1)
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)


def check_hdf5(path: str | Path) -> None:
    """Check that a file contains all its arrays itself, uncompressed.

    Raises:
      OSError: if the file is not HDF5.
      ValueError: if an array is stored in another file, or the arrays are larger than the file.
    """
    unpacked = 0
    external: list[str] = []  # HDF5 does not propagate an exception from the callback

    def visit(name: str, link: object) -> None:
        nonlocal unpacked
        item = file[name] if isinstance(link, h5py.HardLink) else None
        if isinstance(item, h5py.Dataset) and not (item.external or item.is_virtual):
            unpacked += item.nbytes
        elif not isinstance(item, h5py.Group):
            external.append(name)

    with h5py.File(path, "r") as file:
        file.visititems_links(visit)
    if external:
        raise ValueError(f"'{external[0]}' links to data stored elsewhere, which is not allowed")
    size = Path(path).stat().st_size
    if unpacked > size:
        raise ValueError(f"it unpacks to {unpacked} bytes, but the file has only {size}")


def check_npz(path: str | Path) -> None:
    """Check that an npz archive unpacks to at most `MAX_BYTES`.

    Raises:
      OSError, zipfile.BadZipFile: if the file is not an archive.
      ValueError: if it unpacks to more.
    """
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_BYTES:
        raise ValueError(f"it unpacks to {unpacked} bytes, more than {MAX_BYTES}")
