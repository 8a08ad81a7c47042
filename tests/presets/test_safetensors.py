"""Safetensors files from strangers: sizes, names, types and metadata are checked."""

import json
import struct

import h5py
import numpy as np
import pytest

from tfdream.errors import ModelError
from tfdream.presets import archives, safetensors

METADATA = {"format": "tfdream", "run.json": "{}", "config.yaml": "a: 1"}
TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
VALUES = np.array([1, 2], "f4").tobytes()
NAME = "layers/dense/vars/0"


def write(path, header, values=VALUES):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)
    return path


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "outer" / "target"
    folder.mkdir(parents=True)
    return folder


def refuse(path, target, words):
    with pytest.raises(ModelError, match=words) as caught:
        archives.unpack(path, target)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert not list(target.iterdir())


def test_a_file_becomes_a_run_folder(tmp_path, target):
    further = {"card.yaml": "title: x", "../escaped.txt": "x", "history.csv": "x"}
    header = {"__metadata__": METADATA | further, NAME: TENSOR}
    archives.unpack(write(tmp_path / "file", header), target)
    texts = {path.name: path.read_text() for path in target.iterdir() if path.suffix != ".h5"}
    assert texts == {"run.json": "{}", "config.yaml": "a: 1", "card.yaml": "title: x"}
    assert [path.name for path in (tmp_path / "outer").iterdir()] == ["target"]
    with h5py.File(target / "model.weights.h5") as file:
        np.testing.assert_array_equal(file[NAME], [1, 2])


def test_packing_and_unpacking_keeps_every_type(tmp_path, target):
    rng = np.random.default_rng(0)
    arrays = {
        f"{dtype}/vars/{number}": (rng.uniform(0, 9, shape)).astype(dtype)
        for dtype in ("f2", "f4", "f8", "i4", "i8", "u4", "bool")
        for number, shape in enumerate([(), (3,), (2, 0), (2, 3, 4)])
    }
    folder = tmp_path / "run"
    folder.mkdir()
    for name in safetensors.REQUIRED:
        (folder / name).write_text("é")
    with h5py.File(folder / "model.weights.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    safetensors.pack(folder, tmp_path / "file.safetensors")
    safetensors.unpack(tmp_path / "file.safetensors", target)
    assert (target / "run.json").read_text() == "é"
    read = safetensors.read_weights(target / "model.weights.h5")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize(
    "name", ["/absolute", "../../escaped", "a/../b", "a//b", "", "a/", ".", "a\n", "ä", "a/" * 40]
)
def test_other_names_are_errors(tmp_path, target, name):
    path = write(tmp_path / "file", {"__metadata__": METADATA, name: TENSOR})
    refuse(path, target, "is not the name of a weight")


def test_tensors_within_tensors_are_errors(tmp_path, target):
    second = TENSOR | {"data_offsets": [8, 16]}
    header = {"__metadata__": METADATA, "a/b": TENSOR, "a/b/c": second}
    refuse(write(tmp_path / "file", header, VALUES * 2), target, "'a/b/c' is within another")


@pytest.mark.parametrize(
    ("tensor", "values"),
    [
        (TENSOR | {"shape": [3]}, VALUES),
        (TENSOR | {"shape": [1 << 40, 1 << 40]}, VALUES),
        (TENSOR | {"shape": [-1]}, VALUES),
        (TENSOR | {"data_offsets": [0, 1 << 40], "shape": [1 << 38]}, VALUES),
        (TENSOR | {"data_offsets": [8, 0]}, VALUES),
        (TENSOR | {"dtype": "OBJECT"}, VALUES),
        (TENSOR, VALUES[:-1]),
        (TENSOR, VALUES + b"x"),
    ],
)
def test_tensors_that_do_not_fill_the_file_are_errors(tmp_path, target, tensor, values):
    path = write(tmp_path / "file", {"__metadata__": METADATA, NAME: tensor}, values)
    refuse(path, target, "cannot be imported")


def test_types_that_numpy_lacks_are_errors(tmp_path, target):
    tensor = {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}
    path = write(tmp_path / "file", {"__metadata__": METADATA, NAME: tensor})
    refuse(path, target, f"'{NAME}' has the type BF16")


@pytest.mark.parametrize("missing", ["format", "run.json", "config.yaml", None])
def test_files_of_other_programs_are_errors(tmp_path, target, missing):
    metadata = {key: value for key, value in METADATA.items() if key != missing}
    header = {"__metadata__": metadata, NAME: TENSOR} if missing else {NAME: TENSOR}
    refuse(write(tmp_path / "file", header), target, "is not the file of a run")


@pytest.mark.parametrize(
    "header", [b"{", b"{}{}", b'{"a": 1}', b'{"__metadata__": {"format": 1}}', b"{" * 5000]
)
def test_damaged_headers_are_errors(tmp_path, target, header):
    refuse(write(tmp_path / "file", header), target, "cannot be imported")


def test_sizes_are_limited(tmp_path, target, monkeypatch):
    path = write(tmp_path / "file", {"__metadata__": METADATA, NAME: TENSOR})
    monkeypatch.setattr(safetensors, "MAX_HEADER_BYTES", 10)
    refuse(path, target, "header has .* bytes, more than 10")
    monkeypatch.setattr(safetensors, "MAX_BYTES", 20)
    refuse(path, target, "bytes, more than 20")


def test_a_header_beyond_the_end_is_no_safetensors_file(tmp_path, target):
    path = tmp_path / "file"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    refuse(path, target, "neither a run folder nor")
    path.write_bytes(b"")
    refuse(path, target, "neither a run folder nor")
