"""Runs in one safetensors file: the weights as tensors, and the texts of the run as metadata.

Tensors have the names of the arrays in ``model.weights.h5``. Files from untrusted sources can be
imported: the format holds no code, and the library checks that the tensors fill the file exactly.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tfdream.errors import ModelError, one_line
from tfdream.io.archives import MAX_DEPTH, MAX_OBJECTS, check_hdf5, reserve_hdf5
from tfdream.presets import card
from tfdream.runs.info import CONFIG_FILE, INFO_FILE, WEIGHTS_FILE
from tfdream.runs.weights import UNREADABLE

FORMAT = "tfdream"
"""Value of the metadata ``format``."""
REQUIRED = (INFO_FILE, CONFIG_FILE)
TEXTS = (*REQUIRED, card.FILE)
"""The files of a run that become metadata."""

MAX_BYTES = 1 << 30
"""Limit for the size of a file."""
MAX_HEADER_BYTES = 1 << 25
"""Limit for the header: names, shapes and metadata."""
_PREFIX_BYTES = 8  # the length of the header
_NAME = re.compile(rf"[\w-][\w.-]{{0,127}}(?:/[\w-][\w.-]{{0,127}}){{0,{MAX_DEPTH - 2}}}", re.ASCII)
_DTYPES = frozenset(
    ("BOOL", "F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64")
)


def is_safetensors(path: str | Path) -> bool:
    """Return whether a file starts with a header that fits into it."""
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(_PREFIX_BYTES + 1)
    length = int.from_bytes(start[:_PREFIX_BYTES], "little")
    return start[_PREFIX_BYTES:] == b"{" and length <= path.stat().st_size - _PREFIX_BYTES


def read_weights(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an HDF5 file by name.

    Raises:
      ModelError: if it is damaged, or contains anything but plain arrays of numbers.
    """
    arrays: dict[str, NDArray[Any]] = {}

    def read(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = np.asarray(item[()])

    try:
        check_hdf5(path)
        with h5py.File(path, "r") as file:
            file.visititems(read)
    except UNREADABLE as error:
        reason = one_line(error)
        raise ModelError(f"'{path}' cannot be read: {reason}") from None
    return arrays


def pack(folder: str | Path, path: str | Path) -> None:
    """Write the weights and texts of a run folder to a file.

    Raises:
      ModelError: if the weights cannot be read, or the file cannot be written.
    """
    folder = Path(folder)
    metadata = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in TEXTS
        if (folder / name).is_file()
    }
    try:
        save_file(read_weights(folder / WEIGHTS_FILE), path, {"format": FORMAT} | metadata)
    except SafetensorError as error:
        raise ModelError(f"'{path}' cannot be written: {one_line(error)}") from None


def unpack(path: str | Path, folder: str | Path) -> None:
    """Write the run in a file into an existing folder.

    Names of the file become names in ``model.weights.h5``, never paths of the file system.

    Raises:
      ModelError: if the file is damaged or too large, is not that of a run, or if a tensor has
        another name or type than weights have.
    """
    path = Path(path)
    try:
        metadata, tensors = _read(path)
    except (SafetensorError, ValueError) as error:
        reason = one_line(error)
        raise ModelError(f"'{path}' cannot be imported: {reason}") from None
    for name in TEXTS:
        if name in metadata:
            (Path(folder) / name).write_text(metadata[name], encoding="utf-8")
    weights = Path(folder) / WEIGHTS_FILE
    reserve_hdf5(weights, [tensor.nbytes for tensor in tensors.values()])
    with h5py.File(weights, "w") as file:
        for name, tensor in tensors.items():
            file[name] = tensor


def _read(path: Path) -> tuple[dict[str, str], Mapping[str, NDArray[Any]]]:
    """Return metadata and tensors, after a check of sizes, names and types."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"it has {size} bytes, more than {MAX_BYTES}")
    with path.open("rb") as file:
        header = int.from_bytes(file.read(_PREFIX_BYTES), "little")
    if header > MAX_HEADER_BYTES:
        raise ValueError(f"its header has {header} bytes, more than {MAX_HEADER_BYTES}")
    with safe_open(str(path), framework="numpy") as file:
        metadata: dict[str, str] = file.metadata() or {}
        missing = [name for name in REQUIRED if name not in metadata]
        if metadata.get("format") != FORMAT or missing:
            raise ValueError(
                f"it is not the file of a run (format '{metadata.get('format')}'); give one that "
                "tfdream export wrote"
            )
        names: list[str] = file.keys()
        _check_names(names)
        for name in names:
            dtype = file.get_slice(name).get_dtype()
            if dtype not in _DTYPES:
                raise ValueError(f"'{name}' has the type {dtype}; weights have plain numbers")
        return metadata, {name: file.get_tensor(name) for name in names}


def _check_names(names: list[str]) -> None:
    """Check that names can be those of arrays in one HDF5 file."""
    if len(names) > MAX_OBJECTS:
        raise ValueError(f"it has {len(names)} tensors, more than {MAX_OBJECTS}")
    stored = set(names)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} is not the name of a weight (letters, digits, '_', '/')"
            )
        parts = name.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in stored:
                raise ValueError(f"'{name}' is within another tensor")
