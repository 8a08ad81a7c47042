import zipfile

import h5py
import numpy as np
import pytest

from tfdream.io import archives


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/conv/vars/0"] = np.ones((3, 3), np.float32)
    return path


def test_arrays_as_they_are_pass(weights):
    archives.check_hdf5(weights)


@pytest.mark.parametrize(
    "add",
    [
        lambda file: file.create_dataset("x", (9,), "u1", external=[("/etc/passwd", 0, 9)]),
        lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/x")),
        lambda file: file.__setitem__("x", h5py.SoftLink("/layers")),
        lambda file: file.create_virtual_dataset("x", h5py.VirtualLayout((9,), "u1")),
    ],
    ids=["external", "external_link", "soft_link", "virtual"],
)
def test_what_lies_elsewhere_is_not_followed(add, weights):
    with h5py.File(weights, "a") as file:
        add(file)
    with pytest.raises(ValueError, match="'x' links to data stored elsewhere"):
        archives.check_hdf5(weights)


@pytest.mark.parametrize("how", [{"compression": "gzip", "chunks": (1024,)}, {}])
def test_hdf5_that_unpacks_to_more_than_itself_is_refused(how, weights):
    """Zeros that are packed, and an array that was promised and never written."""
    with h5py.File(weights, "a") as file:
        file.create_dataset("x", (1 << 40,), "f4", **how)
    with pytest.raises(ValueError, match=r"unpacks to 43980465111\d\d bytes"):
        archives.check_hdf5(weights)


def test_what_is_no_hdf5_is_an_os_error(tmp_path):
    (tmp_path / "a").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(OSError):
        archives.check_hdf5(tmp_path / "a")


def test_an_npz_of_packed_zeros_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("image.npy", bytes(1 << 20))
    assert path.stat().st_size < 5000
    with pytest.raises(ValueError, match="unpacks to 1048576 bytes, more than 10000"):
        archives.check_npz(path)
