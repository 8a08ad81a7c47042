"""HDF5 and npz files from untrusted sources: every size is checked before memory is allocated.

Neither format holds code: HDF5 files may contain numbers and texts only, and an npz with pickles is
rejected. The remaining risks are arrays stored in other files, arrays that declare more values than
the file contains, and compressed data that expands to more than fits into memory.
"""

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tfdream.errors import one_line

MAX_BYTES = 1 << 30
"""Limit for an unpacked npz. A spectrogram of ten minutes at 192 kHz takes half of it."""
MAX_OBJECTS = 100_000
"""Limit for the groups and arrays of an HDF5 file; a network of a thousand layers has 10 000."""
MAX_DEPTH = 32
"""Limit for nested groups of an HDF5 file; groups may contain themselves."""

_OVERHEAD_BYTES = 8192  # of an HDF5 array, including the groups that contain it
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
# The header that numpy writes for arrays of numbers or of one text. Anything else is rejected, so
# that no expression of a file is evaluated.
_NPY_HEADER = re.compile(
    r"\{'descr': '([<>|][biufSU]\d{1,9})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)


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


def check_hdf5(path: str | Path, shapes: Collection[tuple[int, ...]] | None = None) -> None:
    """Check that a file contains all its arrays itself, as plain uncompressed values.

    No array is read.

    Args:
      path: the file.
      shapes: the shapes that arrays of numbers may have; by default any shape.

    Raises:
      OSError: if the file is not HDF5.
      ValueError: if an array is stored in another file, is compressed, has an unexpected shape or
        type, or if the arrays are larger than the file.
    """
    size = Path(path).stat().st_size
    unpacked = 0
    try:
        with h5py.File(path, "r") as file:
            for name, item in _objects(file):
                unpacked += _attribute_bytes(name, item)
                if isinstance(item, h5py.Dataset):
                    _check_array(name, item, shapes)
                    unpacked += item.nbytes
                if unpacked > size:
                    raise ValueError(
                        f"it unpacks to {unpacked} bytes or more, but the file has only {size}"
                    )
    # h5py raises these for damaged descriptions of objects.
    except (KeyError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"it is damaged ({one_line(error)})") from None


def _objects(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Yield all groups and arrays, without following links to other places."""
    pending: list[tuple[str, int, h5py.Group]] = [("", 0, file)]
    count = 0
    while pending:
        prefix, depth, group = pending.pop()
        yield prefix, group
        if depth >= MAX_DEPTH:
            raise ValueError(f"its groups are nested more than {MAX_DEPTH} deep")
        for key in group:
            name = f"{prefix}/{key}" if prefix else key
            count += 1
            if count > MAX_OBJECTS:
                raise ValueError(f"it has more than {MAX_OBJECTS} objects")
            if type(group.get(key, getlink=True)) is not h5py.HardLink:
                raise ValueError(f"'{name}' links to data stored elsewhere, which is not allowed")
            item = group[key]
            if isinstance(item, h5py.Group):
                pending.append((name, depth + 1, item))
            elif isinstance(item, h5py.Dataset):
                yield name, item
            else:
                raise ValueError(f"'{name}' is neither a group nor an array")


def _check_array(
    name: str, array: h5py.Dataset, shapes: Collection[tuple[int, ...]] | None
) -> None:
    if array.external or array.is_virtual:
        raise ValueError(f"'{name}' links to data stored elsewhere, which is not allowed")
    if array.chunks is not None or array.id.get_create_plist().get_nfilters():
        raise ValueError(f"'{name}' is compressed or divided into chunks, which is not allowed")
    if array.shape is None:
        raise ValueError(f"'{name}' has no shape")
    is_text = h5py.check_string_dtype(array.dtype) is not None
    if array.dtype.kind not in "biuf" and not (is_text and shapes is None):
        raise ValueError(f"'{name}' has the type {array.dtype}; only numbers are allowed")
    if shapes is not None and array.shape not in shapes:
        raise ValueError(f"'{name}' has the shape {array.shape}, which no weight of the model has")


def _attribute_bytes(name: str, item: h5py.Group | h5py.Dataset) -> int:
    """Return the size of an object's attributes, after a check of their types."""
    total = 0
    for key in item.attrs:
        attribute = item.attrs.get_id(key)
        kind = attribute.dtype.kind
        if kind not in "biufS" and h5py.check_string_dtype(attribute.dtype) is None:
            raise ValueError(f"attribute '{key}' of '{name}' has the type {attribute.dtype}")
        total += math.prod(attribute.shape or ()) * attribute.dtype.itemsize
    return total


def read_npz(path: str | Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers and texts from an npz archive.

    Args:
      path: the archive. Further members are not read.
      names: names of the arrays.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is not an archive, lacks an array, contains pickles, unpacks to more than
        `MAX_BYTES`, or an array declares another size than the archive contains.
    """
    with _value_errors(), zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        unpacked = sum(member.file_size for member in members.values())
        if unpacked > MAX_BYTES:
            raise ValueError(f"it unpacks to {unpacked} bytes, more than {MAX_BYTES}")
        missing = [name for name in names if f"{name}.npy" not in members]
        if missing:
            raise ValueError(f"it has no array '{missing[0]}'")
        return {name: _read_npy(archive, members[f"{name}.npy"]) for name in names}


def read_members(path: str | Path, names: Sequence[str], max_bytes: int) -> list[bytes]:
    """Read members of a zip archive into memory; nothing is written to the file system.

    Args:
      path: the archive.
      names: full names of the members. Further members are not read.
      max_bytes: largest number of unpacked bytes of all these members together.

    Raises:
      OSError: if the file cannot be read.
      ValueError: if it is not an archive, is damaged, lacks a member, or the members are too large.
    """
    with _value_errors(), zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        missing = [name for name in names if name not in members]
        if missing:
            raise ValueError(f"it has no file '{missing[0]}'")
        unpacked = sum(members[name].file_size for name in names)
        if unpacked > max_bytes:
            raise ValueError(f"it unpacks to {unpacked} bytes, more than {max_bytes}")
        return [archive.read(members[name]) for name in names]


@contextmanager
def _value_errors() -> Iterator[None]:
    """Turn the errors of zipfile for damaged archives into ValueError."""
    try:
        yield
    # zipfile raises these for damaged archives, encryption and unsupported methods.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, struct.error) as error:
        raise ValueError(one_line(error) or "it is truncated") from None
    except (OverflowError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"it is damaged ({one_line(error)})") from None


def _check_unicode(name: str, values: bytes, dtype: np.dtype[Any]) -> None:
    """Check the characters of a text, from which numpy would make an invalid string."""
    try:
        values.decode("utf-32-be" if dtype.str.startswith(">") else "utf-32-le")
    except UnicodeDecodeError:
        raise ValueError(f"'{name}' is not valid Unicode") from None


def _read_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one array; its header must declare exactly the bytes that the member has."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"'{member.filename}' is compressed in another way than numpy compresses")
    with archive.open(member) as file:
        if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
            raise ValueError(f"'{member.filename}' is not an array of numpy")
        header = file.read(int.from_bytes(file.read(2), "little")).decode("latin-1")
        match = _NPY_HEADER.fullmatch(header)
        if match is None:
            raise ValueError(f"'{member.filename}' is not an array of numbers or a text")
        dtype = np.dtype(match[1])
        shape = tuple(int(length) for length in match[3].replace(",", " ").split())
        size = math.prod(shape) * dtype.itemsize
        available = member.file_size - len(_NPY_MAGIC) - 2 - len(header)
        if size != available:
            raise ValueError(
                f"'{member.filename}' declares {size} bytes, but the archive has {available}"
            )
        values = file.read(size)
        if len(values) != size:
            raise ValueError(f"'{member.filename}' is truncated")
    if dtype.kind == "U":
        _check_unicode(member.filename, values, dtype)
    flat: NDArray[Any] = np.frombuffer(bytearray(values), dtype)
    return flat.reshape(shape, order="F" if match[2] == "True" else "C")
