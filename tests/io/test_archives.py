import zipfile

import h5py
import numpy as np
import pytest

from tfdream.io import archives

SHAPES = {(3, 3), ()}


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/conv/vars/0"] = np.ones((3, 3), np.float32)
        file["layers/conv"].attrs["name"] = "conv"
    return path


def test_plain_arrays_are_accepted(weights):
    archives.check_hdf5(weights)
    archives.check_hdf5(weights, SHAPES)


def test_texts_are_accepted_unless_shapes_are_given(weights):
    with h5py.File(weights, "a") as file:
        file["tracks"] = np.array([b"a", b"b"], object)
    archives.check_hdf5(weights)
    with pytest.raises(ValueError, match="only numbers are allowed"):
        archives.check_hdf5(weights, {*SHAPES, (2,)})


def test_an_unwritten_array_larger_than_the_file_is_rejected(weights):
    with h5py.File(weights, "a") as file:
        file.create_dataset("x", (1 << 40,), "f4")
    with pytest.raises(ValueError, match=r"unpacks to 43980465111\d\d bytes"):
        archives.check_hdf5(weights)


def test_groups_have_a_limited_number_and_depth(weights, monkeypatch):
    with h5py.File(weights, "a") as file:
        file["/".join("g" * (archives.MAX_DEPTH + 1))] = 1.0
    with pytest.raises(ValueError, match="nested more than 32 deep"):
        archives.check_hdf5(weights)
    monkeypatch.setattr(archives, "MAX_OBJECTS", 3)
    with pytest.raises(ValueError, match="more than 3 objects"):
        archives.check_hdf5(weights)


def test_other_files_are_an_os_error(tmp_path):
    (tmp_path / "a").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(OSError):
        archives.check_hdf5(tmp_path / "a")
    with pytest.raises(OSError):
        archives.read_npz(tmp_path / "missing", ["image"])
    with pytest.raises(ValueError, match="not a zip file"):
        archives.read_npz(tmp_path / "a", ["image"])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_has_the_saved_arrays(save, tmp_path):
    saved = {
        "image": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "rate": np.array(8000),
        "empty": np.zeros((0, 3), np.int16),
        "text": np.array('{"kind": "amplitude", "é": 1}'),
    }
    save(tmp_path / "a.npz", **saved)
    loaded = archives.read_npz(tmp_path / "a.npz", list(saved))
    for name, array in saved.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array)
        assert loaded[name].flags.writeable


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", image=np.zeros(3))
    with pytest.raises(ValueError, match="no array 'rate'"):
        archives.read_npz(tmp_path / "a.npz", ["image", "rate"])


def test_damaged_archives_are_reported(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, image=np.arange(100))
    valid = path.read_bytes()
    for position in range(len(valid)):
        damaged = bytearray(valid)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            archives.read_npz(path, ["image"])
        except (OSError, ValueError) as error:
            assert str(error)


@pytest.mark.parametrize("code_point", [0x110000, 0xDC00])
@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_that_are_not_valid_unicode_are_value_errors(code_point, order, tmp_path):
    text = np.array([ord("a"), code_point], f"{order}u4").view(f"{order}U2")
    np.savez(tmp_path / "a.npz", text=text)
    with pytest.raises(ValueError, match=r"'text\.npy' is not valid Unicode"):
        archives.read_npz(tmp_path / "a.npz", ["text"])


def test_encrypted_members_and_other_methods_are_value_errors(tmp_path):
    path = tmp_path / "a.npz"
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("image.npy", b"")
        with pytest.raises(ValueError, match="compressed in another way"):
            archives.read_npz(path, ["image"])
    np.savez(path, image=np.arange(3))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="encrypted"):
        archives.read_npz(path, ["image"])
