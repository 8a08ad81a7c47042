"""Published attacks on HDF5 and npz: data of other files, and sizes that exhaust the memory.

The large sizes are declared, never allocated: a test that allocates one fails by its memory limit.
"""

import json
import os
import resource
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tfdream.errors import ConfigError, ModelError
from tfdream.io import archives
from tfdream.runs import Run
from tfdream.synthesis.inversion import analyze, invert

KERNEL = "layers/conv2d/vars/0"
HUGE = 1 << 40
SPARE_BYTES = 3 << 30


@pytest.fixture(autouse=True)
def limited_memory():
    """Allow little more address space than the process has now."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def secret(tmp_path):
    """A file that an attacker would like to read."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.full((3, 3, 1, 4), 42, np.float32)
        file["vars/0"] = file["x"]
    return path


def external_storage(file, secret):
    """CVE-2026-1669: the values are bytes of another file."""
    file.create_dataset(KERNEL, (3, 3, 1, 4), "f4", external=[(str(secret), 0, 144)])


def virtual(file, secret):
    """CVE-2026-12480: a virtual dataset maps another file, which CVE-2026-1669's fix allowed."""
    layout = h5py.VirtualLayout((3, 3, 1, 4), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "x", (3, 3, 1, 4))
    file.create_virtual_dataset(KERNEL, layout)


def external_link(file, secret):
    """GHSA-27f4-p4xq-cxg8: a link to an array of another file."""
    file[KERNEL] = h5py.ExternalLink(str(secret), "/x")


def external_group(file, secret):
    """Keras pull request 23168: a link on the way to the array."""
    del file["layers/conv2d"]
    file["layers/conv2d"] = h5py.ExternalLink(str(secret), "/")


def soft_link(file, secret):
    """GHSA-27f4-p4xq-cxg8: a soft link through an external one."""
    file["elsewhere"] = h5py.ExternalLink(str(secret), "/")
    file[KERNEL] = h5py.SoftLink("/elsewhere/x")


def unused_link(file, secret):
    """A link that no weight uses, for instance to a device."""
    file[KERNEL] = np.zeros((3, 3, 1, 4), np.float32)
    file["unused"] = h5py.ExternalLink("/dev/zero", "/x")


def user_link(file, secret):
    """A broken soft link that points to itself."""
    file[KERNEL] = h5py.SoftLink(f"/{KERNEL}")


def shape_bomb(file, secret):
    """CVE-2026-0897: a few bytes declare an array of terabytes."""
    file.create_dataset(KERNEL, (HUGE,), "f4")


def sparse_bomb(file, secret):
    """Keras pull request 22975: chunks that were never written are read as zeros."""
    file.create_dataset(KERNEL, (HUGE,), "f4", chunks=(1024,))


def compressed_bomb(file, secret):
    """Keras pull request 22975: zeros that are compressed."""
    file.create_dataset(KERNEL, (HUGE,), "f4", chunks=(1024,), compression="gzip")


def small_bomb(file, secret):
    """Keras reads an array of another shape before it compares: 256 MiB instead of 144 bytes."""
    file.create_dataset(KERNEL, (1 << 26,), "f4", chunks=(1 << 20,), compression="gzip")


def other_shape(file, secret):
    file[KERNEL] = np.zeros((3, 3, 1, 5), np.float32)


def references(file, secret):
    file.create_dataset(KERNEL, (3, 3, 1, 4), h5py.ref_dtype)


def compound(file, secret):
    file.create_dataset(KERNEL, (3, 3, 1, 4), np.dtype([("x", "f4", (HUGE >> 12,))]))


def texts(file, secret):
    file[KERNEL] = np.full((3, 3, 1, 4), b"x" * 9, object)


def no_shape(file, secret):
    file[KERNEL] = h5py.Empty("f4")


def named_type(file, secret):
    file[KERNEL] = np.zeros((3, 3, 1, 4), np.float32)
    file["type"] = np.dtype("f8")


def cycle(file, secret):
    """A group that contains itself."""
    file[KERNEL] = np.zeros((3, 3, 1, 4), np.float32)
    file["layers/again"] = file["layers"]


HDF5 = [
    *(external_storage, virtual, external_link, external_group, soft_link, unused_link, user_link),
    *(shape_bomb, sparse_bomb, compressed_bomb, small_bomb, other_shape, references, compound),
    *(texts, no_shape, named_type, cycle),
]


@pytest.mark.parametrize("attack", HDF5)
def test_hostile_weights_are_rejected_before_they_are_read(attack, attacked, secret, monkeypatch):
    model = attacked.build_model()
    with h5py.File(attacked.weights_path, "a") as file:
        assert file[KERNEL].shape == (3, 3, 1, 4)
        del file[KERNEL]
        attack(file, secret)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", None)  # no array may be read
    with pytest.raises(ModelError, match=r"model\.weights\.h5' cannot be loaded"):
        attacked.load_weights(model)


def test_the_weights_are_limited_by_the_shapes_of_the_model(attacked):
    """CVE-2026-0897: whatever the file declares, only the model's shapes are allocated."""
    with h5py.File(attacked.weights_path, "a") as file:
        file["more"] = np.zeros((1000, 1000), np.float32)  # written, so no bomb
    with pytest.raises(ModelError, match=r"'more' has the shape \(1000, 1000\), which no weight"):
        _ = Run.open(attacked.folder).model


def test_a_hostile_history_is_rejected(attacked):
    """The state to resume from has texts beside the weights."""
    from tfdream.training.classification import build_classifier

    model = build_classifier(attacked.build_model(), attacked.config.training, 1)
    for history in ("[" * 30_000, '{"a": 1}', '[{"loss": "x"}]', "9" * 5000, 3, np.zeros(9)):
        model.build_optimizers()
        attacked.save_resume_state(model, [])
        with h5py.File(attacked.resume_path, "a") as file:
            file.attrs["history"] = history
        with pytest.raises(ModelError, match=r"is damaged .*--force"):
            attacked.load_resume_state(model)


@pytest.fixture
def spectrogram(song, experiment, tmp_path):
    analyze(song, tmp_path / "song.npz", experiment)
    with np.load(tmp_path / "song.npz") as file:
        return dict(file)


def npy(declared, content=b""):
    """An npy file whose header declares what it likes."""
    header = f"{declared}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def pickled(_):
    """CVE-2019-6446: an array of objects is a pickle, which runs code."""
    return npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n.")


def declared_shape(_):
    """Keras pull request 23016: the header declares more than the archive contains."""
    return npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({HUGE},), }}")


def declared_type(_):
    """A subarray type multiplies the size."""
    return npy(f"{{'descr': '({HUGE},)<f4', 'fortran_order': False, 'shape': (1,), }}")


def overflowing_shape(_):
    return npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**62}, 4,), }}")


def expression(_):
    """numpy evaluates the header as a literal, which may be nested too deeply."""
    return npy("(" * 9000)


def long_header(_):
    return npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }" + " " * 60_000)[:-5]


@pytest.mark.parametrize(
    "attack",
    [pickled, declared_shape, declared_type, overflowing_shape, expression, long_header],
)
def test_a_hostile_array_in_an_npz_is_rejected(attack, spectrogram, tmp_path):
    path = tmp_path / "attack.npz"
    np.savez(path, **{name: each for name, each in spectrogram.items() if name != "image"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("image.npy", attack(spectrogram["image"]))
    with pytest.raises(ConfigError, match=r"attack\.npz' is not a spectrogram"):
        invert(path, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_compressed_zeros_are_rejected_before_they_are_unpacked(tmp_path, monkeypatch):
    """Keras pull requests 23010 and 23016: decompression bombs."""
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("unused.npy", bytes(1 << 20))
    assert path.stat().st_size < 5000
    with pytest.raises(ValueError, match="unpacks to 1048576 bytes, more than 10000"):
        archives.read_npz(path, ["image"])


def test_a_declared_size_that_is_too_small_is_rejected(spectrogram, tmp_path):
    """The directory of a zip may declare fewer bytes than a member expands to."""
    path = tmp_path / "attack.npz"
    np.savez_compressed(path, **spectrogram)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("image.npy")
    content = path.read_bytes().replace(
        member.file_size.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    )
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not a spectrogram"):
        invert(path, tmp_path / "out.wav")


@pytest.mark.parametrize("name", ["../escaped.npy", "/tmp/escaped.npy", "..\\escaped.npy"])
def test_members_of_an_npz_are_not_unpacked_to_files(name, spectrogram, tmp_path):
    """CVE-2025-12060 and others: names of members that lead out of the folder."""
    folder = tmp_path / "inner"
    folder.mkdir()
    np.savez(folder / "a.npz", **spectrogram)
    with zipfile.ZipFile(folder / "a.npz", "a") as archive:
        archive.writestr(name, npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }"))
    before = sorted(tmp_path.rglob("*"))
    assert archives.read_npz(folder / "a.npz", ["samples"])["samples"] == spectrogram["samples"]
    assert sorted(tmp_path.rglob("*")) == before


def test_settings_in_a_spectrogram_are_validated(spectrogram, tmp_path):
    for settings in ("[" * 30_000, json.dumps({"kind": "os.system"}), "{", "3"):
        np.savez(tmp_path / "a.npz", **{**spectrogram, "frontend": np.array(settings)})
        with pytest.raises(ConfigError, match=r"a\.npz"):
            invert(tmp_path / "a.npz", tmp_path / "out.wav")
